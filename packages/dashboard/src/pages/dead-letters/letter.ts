import type { DeadLetterDetail } from '@oncekey/core'
import { type Html, html } from '../html/html.ts'
import { badge, errorOf, facts, payload, table, time } from '../html/parts.ts'
import { NotFound, type PageRoute, page } from '../routing/route.ts'
import { sourceOf } from './source-of.ts'

/** One letter, with every attempt. */
export const deadLetterPage: PageRoute = page<{
  readonly source: string
  readonly letter: DeadLetterDetail
}>({
  path: 'dead-letters/one',
  title: 'Dead letter',
  inNavigation: false,
  isConfinable: false,
  exists: ({ deadLetters }) => deadLetters.length > 0,
  async load({ options, query }) {
    const source = sourceOf(options, query.get('source'))
    const letter = await source.get(query.get('id') ?? '')
    if (letter === undefined) {
      throw new NotFound('There is no such letter, or not any more: it may have been purged.')
    }
    return { source: source.name, letter: { ...letter, data: options.mask(letter.data, 'event') } }
  },
  render({ source, letter }): Html {
    return html`${facts([
      ['Of', letter.origin],
      ['State', badge(letter.state)],
      ['Reason', letter.reason],
      ['Event', letter.eventId],
      ['Type', letter.type],
      ['Subject', letter.subject],
      ['Source', letter.source],
      ['Occurred', time(letter.occurredAt)],
      ['First failed', time(letter.firstFailedAt)],
      ['Dead since', time(letter.deadAt)],
      ['Tried next', letter.dueAt && time(letter.dueAt)],
      ['Redriven', `${letter.redrives} times`],
      ['Ended', letter.resolution],
      ['Note', letter.note],
      ...Object.entries(letter.headers).map(([name, value]) => [`Header ${name}`, value] as const),
    ])}
<h2>Data</h2>
${payload(letter.data)}
<h2>Attempts</h2>
${table(
  ['Attempt', 'When', 'Took', 'Error'],
  letter.history.map(({ number, startedAt, durationMs, error }) => [
    number,
    time(startedAt),
    `${Math.round(durationMs)} ms`,
    error.stack === null
      ? errorOf(error)
      : html`<details><summary>${errorOf(error)}</summary>${payload(error.stack)}</details>`,
  ]),
  'None is on record.',
)}
<h2>To redrive or discard it</h2>
<p>In a terminal, with the CLI:</p>
<pre tabindex="0">npx oncekey dead redrive ${letter.id} --of ${source} --note '…'
npx oncekey dead discard ${letter.id} --of ${source} --note '…'</pre>`
  },
})
