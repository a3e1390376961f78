import { problemAnswer, reportFailure, storeFailure } from './answer.ts'
import { type EndMessage, tell, warnOnce } from './diagnostics.ts'
import { type Disposition, dispositionOf } from './disposition.ts'
import { OncekeyError, OptionsError } from './errors.ts'
import { abort } from './handler-context.ts'
import { isReplayed } from './header-rules.ts'
import { withReasonPhrase } from './response/reason-phrase.ts'
import { codingOf, uncoded } from './response/uncoded.ts'
import type { Ending, Running, Verdict } from './run.ts'
import { seal } from './seal.ts'
import type { PlainResponse, StoredResponse } from './stored-response.ts'

/**
 * What becomes of a whole response: kept with its writes, kept alone, or undone. In lease mode one over
 * `maxResponseBytes` is on record without its body: its handler has ended, and what it did outside is done.
 */
export function settle<Tx>(running: Ending<Tx>, response: PlainResponse): Promise<Verdict> {
  const { options } = running
  const disposition = dispositionFor(running, response.status)
  if (disposition === 'retry') return undo(running, response.status)
  if (options.response === 'stream') return store(running, disposition, response, null)
  if (response.body.length <= options.maxResponseBytes) {
    return store(running, disposition, response, response.body)
  }
  return overTheCap(running, disposition, response)
}

function overTheCap<Tx>(
  running: Ending<Tx>,
  disposition: 'commit' | 'refuse',
  response: PlainResponse,
): Promise<Verdict> {
  const { mode } = running.options.store.capabilities
  if (mode === 'transaction') return tooLarge(running, response.status)
  return store(running, disposition, { ...response, body: NO_BYTES }, null)
}

/**
 * What becomes of a response whose handler is still writing it. A route that streams is on record with
 * its first byte. Any other is over the cap, and committing now would keep half of what its handler does.
 */
export function settleUncollected<Tx>(
  running: Ending<Tx>,
  { status, headers }: Pick<PlainResponse, 'status' | 'headers'>,
): Promise<Verdict> {
  const disposition = dispositionFor(running, status)
  if (disposition === 'retry') return undo(running, status)
  if (running.options.response === 'buffer') return tooLarge(running, status)
  return store(running, disposition, { status, headers, body: NO_BYTES }, null)
}

async function tooLarge<Tx>(running: Ending<Tx>, status: number): Promise<Verdict> {
  const { maxResponseBytes } = running.options
  await undo(running, status)
  const answer = problemAnswer(
    running.options,
    'response-too-large',
    `It is over ${maxResponseBytes} bytes, so nothing of the request was kept.`,
  )
  abort(running, new OncekeyError('response-too-large', answer.detail))
  return answer
}

/** Everything undone; the handler's own answer, if it has one, is sent and not kept. */
export async function undo<Tx>(running: Ending<Tx>, status: number | undefined): Promise<Verdict> {
  const { attempt } = running
  const { facts } = running.question
  const release = running.wish === 'retry'
  let outcome: 'undone' | 'failed' = 'undone'
  try {
    await (release ? attempt.release() : attempt.abandon())
  } catch (error) {
    outcome = 'failed'
    reportFailure(facts, 'abandon', error)
  }
  reportUndoneEvents(running, status)
  reportEnd(running, status, release ? 'release' : 'abandon', outcome)
  return SEND
}

function dispositionFor<Tx>({ wish, options }: Running<Tx>, status: number): Disposition {
  return wish ?? dispositionOf(status, options.disposition)
}

async function store<Tx>(
  running: Ending<Tx>,
  disposition: 'commit' | 'refuse',
  given: PlainResponse,
  body: Uint8Array | null,
): Promise<Verdict> {
  const { options, attempt, events } = running
  const { facts } = running.question
  const { status } = given
  const keep = disposition === 'commit'
  // What redact() has to see must be readable, and is as much a body to keep as any.
  const readable =
    options.redact === undefined || body === null
      ? given
      : await withoutCoding(given, options.maxResponseBytes)
  if (readable === 'too-large') return overTheCap(running, disposition, given)
  let response: StoredResponse
  try {
    response = storedForm(running, readable, body === null ? null : readable.body)
  } catch (error) {
    // redact() threw: rather nothing kept than a secret in the clear.
    await undo(running, status)
    return storeFailure(options, facts, 'complete', error)
  }
  let outcome: 'stored' | 'superseded'
  try {
    outcome = await attempt.complete({
      response,
      events: keep ? events : [],
      writes: keep ? 'keep' : 'undo',
    })
  } catch (error) {
    reportEnd(running, status, disposition, 'failed')
    return storeFailure(options, facts, 'complete', error)
  }
  reportEnd(running, status, disposition, outcome)
  if (!keep) reportUndoneEvents(running, status)
  else if (outcome === 'stored' && events.length > 0) {
    tell('oncekey:appended', () => ({ count: events.length }))
  }
  return outcome === 'stored' ? SEND : whatIsTrueNow(running)
}

/** `superseded`: nothing of this attempt was kept, so the client is told what was. */
async function whatIsTrueNow<Tx>({ options, question, askAgain }: Running<Tx>): Promise<Verdict> {
  const lost = problemAnswer(
    options,
    'commit-failed',
    'The request collided with another one and was undone. Send it again with the same key.',
  )
  if (question.facts.key === undefined) return lost
  // It throws misuse, which was reported; the retry will meet it where the app can be told.
  const begun = await askAgain(question).catch(() => lost)
  if (begun.kind !== 'run') return begun
  begun.run.context.release()
  await begun.run.abandon()
  return lost
}

/** The response as the store keeps it: without what must not be replayed, redacted, sealed. */
function storedForm<Tx>(
  { options, question }: Running<Tx>,
  response: PlainResponse,
  body: Uint8Array | null,
): StoredResponse {
  const { facts, fingerprints, request } = question
  const headers = response.headers.filter(([name]) =>
    isReplayed(name.toLowerCase(), options.replayHeader, request?.method),
  )
  const { redact } = options
  const kept = redact === undefined ? response : redacted(redact, { ...response, headers })
  const form: StoredResponse = {
    status: kept.status,
    headers: withReasonPhrase(redact === undefined ? { ...response, headers } : kept),
    body: body === null ? null : kept.body,
    seal: null,
  }
  if (options.seal === undefined || facts.key === undefined) return form
  return seal(form, options.seal, { ...facts, key: facts.key, fingerprint: fingerprints[0] })
}

async function withoutCoding(
  response: PlainResponse,
  maxBytes: number,
): Promise<PlainResponse | 'too-large'> {
  const coding = codingOf(response)
  if (coding === undefined) return response
  return (await uncoded(response, coding, maxBytes)) ?? response
}

/** Throws where the app's function returned no response: storing it unredacted is the one wrong answer. */
function redacted(
  redact: (response: PlainResponse) => PlainResponse,
  response: PlainResponse,
): PlainResponse {
  const kept = redact(response)
  if (Array.isArray(kept?.headers) && kept.body instanceof Uint8Array) return kept
  throw new OptionsError(
    'redact() must return the response to store: `redact: (response) => ({ ...response, body })`.',
  )
}

function reportEnd<Tx>(
  { number, question }: Running<Tx>,
  status: number | undefined,
  disposition: EndMessage['disposition'],
  outcome: EndMessage['outcome'],
): void {
  tell('oncekey:end', () => ({
    ...question.facts,
    attempt: number,
    status,
    disposition,
    outcome,
  }))
}

function reportUndoneEvents<Tx>(
  { events, question }: Running<Tx>,
  status: number | undefined,
): void {
  if (events.length === 0) return
  const { facts } = question
  const types = events.map((event) => event.type)
  tell('oncekey:events-undone', () => ({ ...facts, status, types }))
  warnOnce(
    `events-undone:${facts.route}`,
    `${facts.route} emitted ${types.join(', ')} and answered ${status ?? 'nothing'}, which undoes events with the writes. ` +
      'Call keep() or set a disposition if they should stay. Said once per route.',
  )
}

const SEND: Verdict = { kind: 'send' }
const NO_BYTES = new Uint8Array()
