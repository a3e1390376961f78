import { OncekeyError } from '../errors/errors.ts'
import { factsOf } from '../request/route.ts'
import { type EndMessage, tell, warnOnce } from '../telemetry/channels.ts'
import { busyAnswer, reportFailure } from './answer.ts'
import { abort } from './handler-context.ts'
import type { Ending, Running } from './handler-run.ts'
import type { RunOutcome } from './outcome.ts'
import { watchEnd } from './watch-request.ts'

/**
 * Undoes everything; the handler's own answer, if it has one, is sent but not kept. Normally the
 * attempt is abandoned, which frees the key in transaction mode and leaves its outcome unknown in
 * lease mode. If the handler called `release()`, or failed because no connection was free for its
 * transaction, the attempt is released, which frees the key in both modes. If it was for want of a
 * connection, the client is told `store-busy`; and that speaks of this attempt only: one that took
 * the key over from an attempt of unknown outcome is abandoned.
 */
export async function undo<Tx>(
  running: Ending<Tx>,
  status: number | undefined,
): Promise<RunOutcome> {
  const { attempt } = running
  const busy = status === undefined || status >= 500 ? running.busy : undefined
  const isFreed = busy !== undefined && !hasUnknownBefore(running)
  const release = running.wish === 'release' || isFreed
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
  return busy === undefined ? SEND : busyAnswer(running.options, running.question, busy)
}

/**
 * Whether the outcome of an attempt before this one is unknown. A `whenUnknown` function has said
 * of it that nothing happened, or its answer would be on record and nothing would run.
 */
function hasUnknownBefore<Tx>({ number, options }: Running<Tx>): boolean {
  return number > 1 && typeof options.whenUnknown !== 'function'
}

/**
 * Undoes everything and aborts the handler's signal. The answer may not be the handler's: a timeout
 * of the framework, or middleware outside, may have given it while the handler still runs. Nothing
 * that the handler does from then on is kept, and a retry may run beside it.
 */
export async function undoAll<Tx>(
  running: Ending<Tx>,
  status: number | undefined,
): Promise<RunOutcome> {
  const undone = undo(running, status)
  // The store may take its time. By the next microtask the run counts as ended, so that an answer
  // sent from an abort listener is late.
  await undefined
  abort(running, new OncekeyError('attempt-over', ANSWERED))
  return undone
}

const ANSWERED =
  'The request was answered, or its handler failed, and everything was undone: nothing that is done from here on is kept.'

export function reportEnd<Tx>(
  { number, question, events }: Running<Tx>,
  status: number | undefined,
  disposition: EndMessage['disposition'],
  outcome: EndMessage['outcome'],
): void {
  const end = { attempt: number, status, disposition, outcome }
  tell('oncekey:end', () => ({ ...factsOf(question), ...end }))
  if (question.watched !== undefined) watchEnd(question.watched, end, events.length)
}

export function reportUndoneEvents<Tx>(
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

/** The outcome of a run whose response goes out as the handler made it. */
export const SEND: RunOutcome = { kind: 'send' }
