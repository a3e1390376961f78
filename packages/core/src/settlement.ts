import { problemAnswer, reportFailure, storeFailure } from './answer.ts'
import { type EndMessage, tell, warnOnce } from './diagnostics.ts'
import { type Disposition, dispositionOf } from './disposition.ts'
import { afterHandler, callOption, isPromise, returnedWrongly } from './engine/option-function.ts'
import { OncekeyError } from './errors.ts'
import { abort } from './handler-context.ts'
import { isReplayed } from './header-rules.ts'
import type { Question } from './question.ts'
import { factsOf } from './request/route.ts'
import { checkedResponse } from './response/checked-response.ts'
import { withReasonPhrase } from './response/reason-phrase.ts'
import { codingOf, uncoded } from './response/uncoded.ts'
import type { Ending, Running, Verdict } from './run.ts'
import { seal } from './seal.ts'
import type { HeaderChange, PlainResponse, StoredResponse } from './stored-response.ts'

/**
 * What becomes of a whole response: kept with its writes, kept alone, or undone. In lease mode one over
 * `maxResponseBytes` is on record without its body: its handler has ended, and what it did outside is done.
 */
export function settle<Tx>(running: Ending<Tx>, response: PlainResponse): Promise<Verdict> {
  return disposed(running, response, (disposition) => {
    const { options } = running
    if (options.response === 'stream') return store(running, disposition, response, null)
    if (response.body.length <= options.maxResponseBytes) {
      return store(running, disposition, response, response.body)
    }
    return overTheCap(running, disposition, response)
  })
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
  const response = { status, headers, body: NO_BYTES }
  return disposed(running, response, (disposition) => {
    if (running.options.response === 'buffer') return tooLarge(running, status)
    return store(running, disposition, response, null)
  })
}

/** Undone where that is its disposition, or where nobody can tell; else what is to be done. */
function disposed<Tx>(
  running: Ending<Tx>,
  response: PlainResponse,
  keep: (disposition: 'commit' | 'refuse') => Promise<Verdict>,
): Promise<Verdict> {
  const act = (disposition: Disposition) =>
    disposition === 'retry' ? undo(running, response.status) : keep(disposition)
  try {
    const disposition = dispositionFor(running, response)
    if (!isPromise(disposition)) return act(disposition)
    return disposition.then(act, (error) => optionFailed(running, response.status, error))
  } catch (error) {
    return optionFailed(running, response.status, error)
  }
}

/** A function of the app's failed: rather nothing kept than a secret in the clear, or half a response. */
async function optionFailed<Tx>(
  running: Ending<Tx>,
  status: number,
  error: unknown,
): Promise<Verdict> {
  await undo(running, status)
  reportFailure(running.question, 'option', error)
  const { response } = problemAnswer(
    running.options,
    'option-failed',
    'Nothing of the request was kept. Send it again.',
  )
  return { kind: 'failure', error, response }
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

/**
 * Everything undone; the handler's own answer, if it has one, is sent and not kept. Where it failed
 * because it got no transaction the client is told that the store is busy, and the key is free.
 */
export async function undo<Tx>(running: Ending<Tx>, status: number | undefined): Promise<Verdict> {
  const { attempt } = running
  const busy = status === undefined || status >= 500 ? running.busy : undefined
  const release = running.wish === 'retry' || busy !== undefined
  let outcome: 'undone' | 'failed' = 'undone'
  running.lease?.stop()
  try {
    await (release ? attempt.release() : attempt.abandon())
  } catch (error) {
    outcome = 'failed'
    reportFailure(running.question, 'abandon', error)
  }
  reportUndoneEvents(running, status)
  reportEnd(running, status, release ? 'release' : 'abandon', outcome)
  return busy === undefined
    ? SEND
    : storeFailure(running.options, running.question, 'complete', busy)
}

function dispositionFor<Tx>(
  { wish, options, question }: Running<Tx>,
  response: PlainResponse,
): Disposition | Promise<Disposition> {
  if (wish !== undefined) return wish
  const byStatus = () => dispositionOf(response.status, options.disposition)
  const { dispositionOf: ofApp, handlerTimeoutMs } = options
  if (ofApp === undefined) return byStatus()
  return afterHandler('disposition', () =>
    callOption(
      'disposition',
      handlerTimeoutMs,
      () => ofApp(ownCopy(response), question.request?.native as never),
      (returned) => {
        if (returned === undefined) return byStatus()
        if (returned === 'commit' || returned === 'refuse' || returned === 'retry') return returned
        throw returnedWrongly('disposition', returned, "'commit', 'refuse', 'retry' or undefined")
      },
    ),
  )
}

async function store<Tx>(
  running: Ending<Tx>,
  disposition: 'commit' | 'refuse',
  given: PlainResponse,
  body: Uint8Array | null,
): Promise<Verdict> {
  const { options, attempt, events, question } = running
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
    const form = storedForm(running, readable, body === null ? null : readable.body)
    response = isPromise(form) ? await form : form
  } catch (error) {
    return optionFailed(running, status, error)
  }
  let outcome: 'stored' | 'superseded'
  running.lease?.stop()
  try {
    outcome = await attempt.complete({
      response,
      events: keep ? events : [],
      writes: keep ? 'keep' : 'undo',
    })
  } catch (error) {
    reportEnd(running, status, disposition, 'failed')
    return storeFailure(options, question, 'complete', error)
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
    `${COLLIDED} Send it again with the same key.`,
  )
  if (question.facts.key !== undefined) {
    // It throws misuse, which was reported; the retry will meet it where the app can be told.
    const begun = await askAgain(question).catch(() => lost)
    if (begun.kind !== 'run') return begun
    begun.run.context.release()
    await begun.run.abandon()
  }
  reportFailure(question, 'complete', new OncekeyError('commit-failed', COLLIDED))
  return lost
}

/** The response as the store keeps it: without what must not be replayed, redacted, sealed. */
function storedForm<Tx>(
  { options, question }: Running<Tx>,
  response: PlainResponse,
  body: Uint8Array | null,
): StoredResponse | Promise<StoredResponse> {
  const { redact } = options
  const headers = replayedHeaders(options, question, response)
  const replayed = { ...response, headers }
  if (redact === undefined) return sealed(question, replayed, body)
  const kept = afterHandler('redact', () =>
    callOption(
      'redact',
      options.handlerTimeoutMs,
      () => redact(ownCopy(replayed)),
      (returned) =>
        checkedResponse(
          'redact',
          returned,
          'the response to store, `{ ...response, body }`',
          returned,
        ),
    ),
  )
  const form = (kept: PlainResponse) => sealed(question, kept, body === null ? null : kept.body)
  return isPromise(kept) ? kept.then(form) : form(kept)
}

/** For a function of the app's, which may write over what it is given: that is what is sent and kept. */
function ownCopy(response: PlainResponse): PlainResponse {
  return {
    ...response,
    headers: response.headers.map((line): HeaderChange => [...line]),
    body: new Uint8Array(response.body),
  }
}

function replayedHeaders<Tx>(
  { replayHeader }: Running<Tx>['options'],
  { request }: Question,
  { headers }: PlainResponse,
): PlainResponse['headers'] {
  return headers.filter(([name]) => isReplayed(name.toLowerCase(), replayHeader, request?.method))
}

function sealed(
  { facts, fingerprints, seal: keys }: Question,
  response: PlainResponse,
  body: Uint8Array | null,
): StoredResponse {
  const { status } = response
  const form: StoredResponse = { status, headers: withReasonPhrase(response), body, seal: null }
  if (keys === undefined || facts.key === undefined) return form
  return seal(form, keys, { ...facts, key: facts.key, fingerprint: fingerprints[0] })
}

async function withoutCoding(
  response: PlainResponse,
  maxBytes: number,
): Promise<PlainResponse | 'too-large'> {
  const coding = codingOf(response)
  if (coding === undefined) return response
  return (await uncoded(response, coding, maxBytes)) ?? response
}

function reportEnd<Tx>(
  { number, question }: Running<Tx>,
  status: number | undefined,
  disposition: EndMessage['disposition'],
  outcome: EndMessage['outcome'],
): void {
  tell('oncekey:end', () => ({
    ...factsOf(question),
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
  const facts = factsOf(question)
  const types = events.map((event) => event.type)
  tell('oncekey:events-undone', () => ({ ...facts, status, types }))
  warnOnce(
    `events-undone:${facts.route}`,
    `${facts.route} emitted ${types.join(', ')} and answered ${status ?? 'nothing'}, which undoes events with the writes. ` +
      'Call keep() or set a disposition if they should stay. Said once per route.',
  )
}

const COLLIDED = 'The request collided with another one and was undone.'
const SEND: Verdict = { kind: 'send' }
const NO_BYTES = new Uint8Array()
