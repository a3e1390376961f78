import { type Content, html } from './html.ts'

/**
 * What an act did, as the page says it that is shown after the act. The act's redirect puts its
 * name and its result into the address of that page, as `did` and `result`. Whoever makes a link
 * can put them there, too, so only names and results that acts have are repeated: no link has this
 * page say what its author wants. What is on record is on the page itself.
 */
export function said(query: URLSearchParams, done: string, refused: string): Content {
  const [did, result] = [query.get('did'), query.get('result')]
  if (did === null || result === null || !isKnown(did)) return undefined
  if (result === 'done') return html`<p class="said" role="status">Done: ${did}. ${done}</p>`
  if (!RESULTS.has(result)) return undefined
  return html`<p class="said refused" role="status">Nothing was changed: it is ${result}. ${refused}</p>`
}

function isKnown(did: string): boolean {
  return ACTS.has(did) || /^\d{1,4} are redriven$/.test(did)
}

/** The word of an act whose run is past its pivot. */
export const PAST_PIVOT = 'past its pivot, from which it only goes forward'

const ACTS: ReadonlySet<string> = new Set([
  'release',
  'answer',
  'forget',
  'redrive',
  'discard',
  'cancel',
  'pause',
  'resume',
  'enable',
  'retry',
  'compensate',
  'settle',
  'this took its place',
  'it is on record',
  'one is redriven',
])

const RESULTS: ReadonlySet<string> = new Set([
  // Of keys.
  'absent',
  'other-request',
  'running',
  'unknown',
  'finished',
  'result-gone',
  // Of dead letters and redrives.
  'already-done',
  'already-discarded',
  'retrying',
  'not-matched',
  'retired',
  'failed',
  'over',
  // Of consumers and deliveries.
  'so already',
  'held',
  'under-way',
  'ended',
  // Of runs of sagas.
  'completed',
  'compensating',
  'compensated',
  'compensation-failed',
  'stuck',
  'settled',
  PAST_PIVOT,
])
