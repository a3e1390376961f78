import type { PlainResponse, StoredResponse } from '../contracts/stored-response.ts'
import { OncekeyError } from '../errors/errors.ts'
import { afterHandler, callOption, returnedWrongly } from '../options/call-option.ts'
import { isPromise } from '../options/check-option.ts'
import { type Disposition, dispositionOf } from '../response/disposition.ts'
import { tell } from '../telemetry/channels.ts'
import { problemAfterRun, problemAnswer, reportFailure, storeFailure } from './answer.ts'
import { abort } from './handler-context.ts'
import type { Ending, Running } from './handler-run.ts'
import type { ResolvedOptions } from './options.ts'
import type { Answer, RunOutcome } from './outcome.ts'
import { isUnknown } from './reconcile.ts'
import { ownCopy, storedForm, withoutCoding } from './stored-form.ts'
import { reportEnd, reportUndoneEvents, SEND, undo, undoAll } from './undo.ts'

/**
 * Ends a run with its whole response: keeps it with the writes, keeps it alone, or undoes
 * everything. In lease mode, a response over `maxResponseBytes` is recorded without its body: the
 * handler has ended, and its effects outside cannot be undone.
 */
export function complete<Tx>(running: Ending<Tx>, response: PlainResponse): Promise<RunOutcome> {
  const { options } = running
  return disposed(
    running,
    response,
    undoAll,
    (disposition) => {
      if (options.response === 'stream') return store(running, disposition, response, null)
      if (response.body.length <= options.maxResponseBytes) {
        return store(running, disposition, response, response.body)
      }
      return overTheCap(running, disposition, response)
    },
    options.dispositionOf,
  )
}

function overTheCap<Tx>(
  running: Ending<Tx>,
  disposition: 'commit' | 'refuse',
  response: PlainResponse,
): Promise<RunOutcome> {
  const { mode } = running.options.store.capabilities
  if (mode === 'transaction') return tooLarge(running, response.status)
  return store(running, disposition, { ...response, body: NO_BYTES }, null)
}

/**
 * Ends a run whose handler is still writing. On a route that streams, the response is recorded at
 * its first byte. On any other route the response is over `maxResponseBytes` and the run is undone:
 * a commit at this point would keep half of what the handler does. There the app's `disposition`
 * function is not called, because nobody has the whole body and the run is undone whatever it says:
 * the status alone decides which answer the client gets.
 */
export function completeUncollected<Tx>(
  running: Ending<Tx>,
  { status, headers }: Pick<PlainResponse, 'status' | 'headers'>,
): Promise<RunOutcome> {
  const response = { status, headers, body: NO_BYTES }
  const { dispositionOf: ofApp, response: mode } = running.options
  // What a 5xx undoes goes on to the client as it is written, so its handler is not told to stop.
  return disposed(
    running,
    response,
    undo,
    (disposition) => {
      if (mode === 'buffer') return tooLarge(running, status)
      return store(running, disposition, response, null)
    },
    mode === 'buffer' ? undefined : ofApp,
  )
}

/**
 * Determines the disposition of a response, with the app's function if `ofApp` is given. Calls
 * `drop` if it is `retry`, and otherwise calls `keep`.
 */
function disposed<Tx>(
  running: Ending<Tx>,
  response: PlainResponse,
  drop: typeof undo,
  keep: (disposition: 'commit' | 'refuse') => Promise<RunOutcome>,
  ofApp: ResolvedOptions<Tx>['dispositionOf'],
): Promise<RunOutcome> {
  const act = (disposition: Disposition) =>
    disposition === 'retry' || (disposition === 'refuse' && isOfAPart(running))
      ? drop(running, response.status)
      : keep(disposition)
  try {
    const disposition = dispositionFor(running, response, ofApp)
    if (!isPromise(disposition)) return act(disposition)
    return disposition.then(act, (error) => optionFailed(running, response.status, error))
  } catch (error) {
    return optionFailed(running, response.status, error)
  }
}

/**
 * Whether the handler may have seen only a part of the request. A parser of its own then refuses
 * what it took for a malformed body, and that refusal, which nobody got, must not answer the retry
 * that sends all of it. If nobody can tell, the refusal is kept in lease mode, where undoing it
 * would leave the outcome unknown.
 */
function isOfAPart<Tx>({ options, question }: Running<Tx>): boolean {
  const arrived = question.request?.arrived?.() ?? 'whole'
  if (arrived === 'unknown') return options.store.capabilities.mode === 'transaction'
  return arrived === 'part'
}

/**
 * Undoes a run because a function among the app's options failed. Storing anyway could keep a
 * secret in the clear, or half a response.
 */
async function optionFailed<Tx>(
  running: Ending<Tx>,
  status: number,
  error: unknown,
): Promise<RunOutcome> {
  await undoAll(running, status)
  reportFailure(running.question, 'option', error)
  const { options, question } = running
  const { response } = problemAfterRun(options, question, 'option-failed', UNDONE, AGAIN)
  return { kind: 'failure', error, response }
}

async function tooLarge<Tx>(running: Ending<Tx>, status: number): Promise<RunOutcome> {
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

function dispositionFor<Tx>(
  { wish, options, question }: Running<Tx>,
  response: PlainResponse,
  ofApp: ResolvedOptions<Tx>['dispositionOf'],
): Disposition | Promise<Disposition> {
  if (wish !== undefined) return wish === 'keep' ? 'commit' : 'retry'
  const byStatus = () => dispositionOf(response, options.disposition)
  const { handlerTimeoutMs } = options
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
): Promise<RunOutcome> {
  const { options, attempt, events, question } = running
  const { status } = given
  const keep = disposition === 'commit'
  // redact() needs the decoded body, and that body must fit into `maxResponseBytes` as well.
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

/**
 * After `superseded`, nothing of this attempt was kept. Claims the key again to learn what is on
 * record for it, and answers the client with that. If the key turns out to be free, the new attempt
 * is abandoned and not released. In lease mode the handler may have had effects outside, and a
 * release would say that it had none; in transaction mode both free the key.
 */
async function whatIsTrueNow<Tx>({
  options,
  question,
  askAgain,
}: Running<Tx>): Promise<RunOutcome> {
  const isKeyed = question.facts.key !== undefined
  const what = isKeyed && options.store.capabilities.mode === 'lease' ? NOT_KEPT : COLLIDED
  const lost = problemAfterRun(options, question, 'commit-failed', what, AGAIN)
  if (isKeyed) {
    // askAgain() throws only misuse, which is already reported; the client's retry meets it where
    // the app's error handler can respond.
    const begun = await askAgain(question).catch(() => lost)
    if (begun.kind === 'run') await begun.run.abandon()
    else if (isAnswer(begun, options)) return begun
  }
  reportFailure(question, 'complete', new OncekeyError('commit-failed', what))
  return lost
}

/**
 * Whether this is what the client of a run that was superseded is told. That the store cannot be
 * asked is not: it says that the request was not run. That nobody has the key is an answer only
 * where it is held: elsewhere a retry runs, or asks the app's function, and this client must not be
 * told to give up.
 */
function isAnswer<Tx>(begun: Answer, { whenUnknown }: ResolvedOptions<Tx>): boolean {
  // What the store threw may be `undefined`.
  if (begun.kind === 'problem' && 'cause' in begun) return false
  return !isUnknown(begun) || whenUnknown === 'hold'
}

const COLLIDED = 'The request collided with another one and was undone.'
const UNDONE = 'Its response and what it had written in its transaction were not kept.'
const AGAIN = 'Send it again with the same key.'
const NOT_KEPT = 'The request lost its key before it ended, so its response was not kept.'
const NO_BYTES = new Uint8Array()
