import {
  type DeliverTrace,
  deliverTrace,
  type EventLog,
  type HeldSlot,
  type LoggedEvent,
  OncekeyError,
  tell,
} from '@oncekey/core'
import { isPromise } from '@oncekey/core/options'
import { attemptClock, end, goOn, stand } from './attempt-clock.ts'
import { batchContext, eachContext } from './attempt-context.ts'
import { type AttemptOutcome, type AttemptState, failedWith } from './attempt-state.ts'
import type { Consumer } from './consumer.ts'
import { deliveredEvent, deliveredFacts } from './delivered-event.ts'
import { endedWaiting, isWaiting } from './intake-wait.ts'

export interface Attempt {
  /**
   * Ends the attempt from outside: its signal aborts, and what the consumer does afterwards has no
   * effect.
   */
  abort(reason: OncekeyError): void
}

/**
 * Calls a consumer with one event, or with a batch of them. `end` is called exactly once. If the
 * consumer is synchronous, that is before this function returns; otherwise it is no later than
 * after the attempt's timeout, a wait for the transaction of the same length, and a commit.
 */
export function startAttempt<Tx>(
  log: EventLog<Tx>,
  consumer: Consumer<Tx>,
  events: readonly LoggedEvent[],
  slots: readonly HeldSlot[],
  attempt: number,
  end: (outcome: AttemptOutcome) => void,
): Attempt {
  const trace = deliverTrace.isWatched ? traceOfAttempt(consumer, events, attempt) : undefined
  const state: AttemptState<Tx> = {
    log,
    consumer,
    events,
    slots,
    number: attempt,
    end: trace === undefined ? end : tracedEnd(trace, end, () => state.duplicate),
    delivered: undefined,
    intake: undefined,
    intakeWait: undefined,
    emitted: undefined,
    idOf: undefined,
    controller: undefined,
    clock: undefined,
    over: undefined,
    duplicate: false,
    own: undefined,
  }
  if (trace === undefined) start(state)
  else deliverTrace.start(trace, () => start(state))
  return { abort: (reason) => abort(state, reason) }
}

function traceOfAttempt<Tx>(
  { name }: Consumer<Tx>,
  events: readonly LoggedEvent[],
  attempt: number,
): DeliverTrace {
  return {
    consumer: name,
    events: events.map((event) => deliveredFacts(deliveredEvent(event))),
    attempt,
  }
}

function tracedEnd(
  trace: DeliverTrace,
  end: (outcome: AttemptOutcome) => void,
  isDuplicate: () => boolean,
): (outcome: AttemptOutcome) => void {
  return (outcome) => {
    trace.outcome = outcome.kind === 'done' && isDuplicate() ? 'duplicate' : outcome.kind
    if (outcome.kind === 'failed') trace.error = outcome.error
    deliverTrace.end(trace)
    end(outcome)
  }
}

function start<Tx>(state: AttemptState<Tx>): void {
  let result: unknown
  let isAsync: boolean
  try {
    result = call(state)
    // Reading `then` may throw, too, because it can be a getter.
    isAsync = isPromise(result)
  } catch (error) {
    fail(state, error)
    return
  }
  if (!isAsync) {
    succeed(state)
    return
  }
  const { attemptTimeoutMs } = state.consumer
  state.clock = attemptClock(attemptTimeoutMs, () => abort(state, outOfTime(state)))
  if (isWaiting(state)) stand(state.clock)
  else goOn(state.clock)
  // A foreign thenable may throw from `then` or call back twice; a real promise does neither.
  Promise.resolve(result).then(
    () => succeed(state),
    (error) => fail(state, error),
  )
}

function call<Tx>(state: AttemptState<Tx>): unknown {
  const { work } = state.consumer
  return work.kind === 'batch'
    ? work.handleBatch(batchContext(state))
    : work.handle(eachContext(state))
}

function abort<Tx>(state: AttemptState<Tx>, reason: OncekeyError): void {
  if (state.over !== undefined) return
  const error = endedWaiting(state, reason)
  close(state, reason)
  state.intakeWait?.end()
  state.controller?.abort(reason)
  void rollBack(state)
  state.end({ kind: 'failed', error, isOwn: true })
}

function succeed<Tx>(state: AttemptState<Tx>): void {
  if (state.over !== undefined) return
  close(state, ENDED)
  if (state.intake === undefined && state.emitted === undefined) {
    state.end(DONE)
    return
  }
  commit(state).then(
    () => state.end(DONE),
    (error) => state.end(state.duplicate ? DONE : { kind: 'failed', error, isOwn: isOfLog(error) }),
  )
}

function fail<Tx>(state: AttemptState<Tx>, thrown: unknown): void {
  if (state.over !== undefined) return
  const error = endedWaiting(state, thrown)
  close(state, ENDED)
  state.intakeWait?.end()
  if (state.intake === undefined) state.end(failedWith(state, error))
  // If the event is a duplicate, `transaction()` rejected, and the consumer let that error through.
  // The event then counts as done, not as failed.
  else rollBack(state).then(() => state.end(state.duplicate ? DONE : failedWith(state, error)))
}

function close<Tx>(state: AttemptState<Tx>, reason: OncekeyError): void {
  state.over = reason
  if (state.clock !== undefined) end(state.clock)
}

async function commit<Tx>(state: AttemptState<Tx>): Promise<void> {
  const { consumer, emitted = [], events, intake, log } = state
  if (intake !== undefined) await (await intake).commit(emitted)
  else {
    const { id: eventId } = events[0] as LoggedEvent
    await log.emit({ consumer: consumer.name, eventId, events: emitted })
  }
  if (emitted.length > 0) tell('oncekey:appended', () => ({ count: emitted.length }))
}

/**
 * Whether a commit failed for a reason that is the log's and not the consumer's: it did not answer,
 * or could not be asked. An error that the consumer's writes have caused is the database's own, or
 * has one of these codes.
 */
function isOfLog(error: unknown): boolean {
  return error instanceof OncekeyError && !OF_THE_CONSUMER.has(error.code)
}

const OF_THE_CONSUMER = new Set<OncekeyError['code']>(['transaction-aborted', 'transaction-ended'])

/**
 * Rolls the attempt's transaction back. Never rejects. A transaction that is still opening is
 * rolled back as soon as it is open.
 */
async function rollBack<Tx>(state: AttemptState<Tx>): Promise<void> {
  const intake = await state.intake?.catch(() => undefined)
  await intake?.rollback()
}

const DONE: AttemptOutcome = { kind: 'done' }

function outOfTime<Tx>(state: AttemptState<Tx>): OncekeyError {
  const { name, attemptTimeoutMs } = state.consumer
  return new OncekeyError(
    'delivery-timeout',
    isWaiting(state)
      ? `Consumer "${name}" got no transaction within ${attemptTimeoutMs} ms (attemptTimeoutMs).`
      : `Consumer "${name}" took longer than ${attemptTimeoutMs} ms (attemptTimeoutMs).`,
  )
}

const ENDED = new OncekeyError('attempt-over', 'The consumer has returned.')
