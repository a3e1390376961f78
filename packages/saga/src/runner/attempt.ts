import {
  callLater,
  deriveKey,
  OncekeyError,
  OptionsError,
  type OutboxEvent,
  outboxEvent,
  sleep,
} from '@oncekey/core'
import { atOnce } from '@oncekey/core/options'
import { PermanentError } from '@oncekey/outbox'
import { isOutcomeKnown } from '@oncekey/postgres/client'
import type { Definition } from '../definition/definition.ts'
import { jsonText } from '../definition/json-value.ts'
import type { CompensationContext } from '../definition/step.ts'
import { isA, isResultInvalid } from '../run/failure.ts'
import { type Failure, failed, givenBack, type Move, succeeded } from '../run/move.ts'
import type { Action } from '../run/next-action.ts'
import type { Run } from '../run/run.ts'
import { asStep } from '../state/concurrency-limit.ts'
import { firstAbort } from '../state/first-abort.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { reportError, type SagaStepTrace, sagaStepTrace, tell } from '../telemetry/channels.ts'
import { type EndOfCall, type KeptEnd, keptFor } from './kept-end.ts'
import { type StepTransaction, stepTransaction, type Written } from './step-transaction.ts'

/**
 * The result of an attempt: the recorded move, or why nothing was recorded. `kept` is how the call
 * ended if the server itself has refused the record.
 */
export type Attempted =
  | { readonly kind: 'moved'; readonly move: Move }
  | { readonly kind: 'lost' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'in-doubt'; readonly error: unknown; readonly kept?: KeptEnd }

/**
 * Attempts a step or its compensation once, and records how it ended. If `kept` is the end of this
 * attempt, the function is not called again.
 */
export function attemptStep<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  held: Held,
  run: Run,
  action: Action,
  kept?: KeptEnd,
): Promise<Attempted> {
  const before = keptFor(kept, action)
  if (!sagaStepTrace.isWatched) return tried(runner, definition, held, run, action, before)
  const { saga, version, traceparent } = run
  const { direction, attempt } = action
  const facts = { runId: run.id, saga, version, step: action.step.name, direction, attempt }
  const trace: SagaStepTrace = { ...facts, traceparent }
  return sagaStepTrace.around(trace, async () => {
    const came = await tried(runner, definition, held, run, action, before)
    trace.outcome = came.kind === 'moved' ? came.move.outcome : came.kind
    if (came.kind === 'in-doubt') trace.error = came.error
    else if (came.kind === 'moved' && came.move.outcome !== 'done') trace.error = came.move.outcome
    return came
  })
}

async function tried<Tx>(
  runner: RunnerState<Tx>,
  definition: Definition,
  held: Held,
  run: Run,
  action: Action,
  kept: KeptEnd | undefined,
): Promise<Attempted> {
  const { step, direction, attempt } = action
  const facts = { runId: run.id, saga: run.saga, version: run.version, step: step.name }
  const message = { ...facts, direction, attempt }
  const transaction = stepTransaction(runner, held, step)
  const events: OutboxEvent[] = [...(kept?.events ?? [])]
  const startedAt = kept?.startedAt ?? performance.now()

  let end: EndOfCall | CutShort = kept?.end ?? (await endOfCall())
  if (held.lostSignal.aborted) {
    await transaction.abandon()
    return { kind: 'lost' }
  }

  if ('isCutShort' in end && end.isRunning) {
    await transaction.abandon()
    await leave(runner, held)
    return { kind: 'moved', move: givenBack(run) }
  }

  let move: Move
  let written: Written
  if ('isCutShort' in end) {
    move = givenBack(run)
    written = await transaction.rollback(move)
  } else if ('result' in end) {
    move = succeeded(definition, run, action, end.result)
    written = await transaction.commit(move, events)
  } else {
    move = failed(definition, run, action, end)
    written = await transaction.rollback(move)
  }
  if (written.kind === 'refused') {
    // The database refused the step's transaction, so the attempt has failed after all.
    const durationMs = performance.now() - startedAt
    const failure = refusedFailure(run, action, written.error, durationMs)
    end = written.hasCommitted ? committed(failure) : failure
    move = failed(definition, run, action, end)
    written = await stepTransaction(runner, held, step).rollback(move)
  }
  if (written.kind === 'refused' || written.kind === 'in-doubt') {
    const { error } = written
    if (!isOutcomeKnown(error) || 'isCutShort' in end) return { kind: 'in-doubt', error }
    return { kind: 'in-doubt', error, kept: { action, end, events, startedAt } }
  }
  if (written.kind !== 'written') return written
  const { outcome } = move
  if (outcome !== 'begun') {
    const durationMs = performance.now() - startedAt
    tell('oncekey:saga-recorded', () => ({ ...message, outcome, durationMs }))
  }
  return { kind: 'moved', move }

  async function endOfCall(): Promise<EndOfCall | CutShort> {
    const call: Call = { isRunning: false }
    tell('oncekey:saga-attempt', () => message)
    try {
      const value = await called(runner, definition, held, run, action, transaction, events, call)
      const what = `The result of step "${step.name}" of saga "${run.saga}"`
      return { result: direction === 'run' ? jsonText(what, value, runner.maxResultBytes) : 'null' }
    } catch (error) {
      // The runner stops and has aborted the attempt. That is no failure: the attempt does not
      // count, and another process repeats it.
      if (runner.stopping) return { isCutShort: true, isRunning: call.isRunning }
      return failureFrom(run, action, error, performance.now() - startedAt)
    }
  }
}

/** One call of a step's function, which may still be running when the attempt is over. */
interface Call {
  isRunning: boolean
}

/**
 * An attempt that was aborted because this process stops, and whether its function is still
 * running.
 */
interface CutShort {
  readonly isCutShort: true
  readonly isRunning: boolean
}

/**
 * Leaves the run with this process until its lease is over, also if questions that got no answer
 * are given back before. If the statement that puts this on record fails, the only difference is
 * that the run then counts this process as lost.
 */
async function leave<Tx>(runner: RunnerState<Tx>, { id, epoch, move }: Held): Promise<void> {
  runner.unanswered.keep(id)
  const { client, statements, commitTimeoutMs: timeoutMs } = runner
  try {
    await client.query(statements.leaveRun({ id, epoch, move }), { timeoutMs })
  } catch (error) {
    reportError({ error, during: 'drive', runId: id })
  }
}

/**
 * Calls the step's function, until it returns, the time limit expires, or the run is lost. After
 * the time limit the function gets up to a second to return. After a cancellation or a stop the
 * runner waits for the function, so that everything it does is done before the step is undone, or
 * repeated elsewhere.
 */
async function called<Tx>(
  runner: RunnerState<Tx>,
  { name }: Definition,
  held: Held,
  run: Run,
  action: Action,
  transaction: StepTransaction<Tx>,
  events: OutboxEvent[],
  calling: Call,
): Promise<unknown> {
  const { step, direction, position, attempt } = action
  const timeout = new AbortController()
  const over = firstAbort([held.lostSignal, held.givenUpSignal, timeout.signal])
  const asked = firstAbort([over.signal, held.endSignal])
  const { signal } = asked
  const timer = callLater(() => timeout.abort(timedOut(action)), step.timeoutMs)
  let isOpen = true
  let running: Promise<unknown> | undefined
  const row = run.steps.get(position)
  const label = direction === 'run' ? step.name : `compensate ${step.name}`

  const context: CompensationContext<unknown, unknown, unknown, unknown> = {
    input: run.input,
    state: stateBefore(run, position),
    result: row?.state === 'done' ? row.result : undefined,
    runId: run.id,
    attempt,
    signal,
    idempotencyKey: deriveKey({ namespace: 'saga', scope: run.saga, key: run.id }, label),
    transaction: () => transaction.open(),
    emit(event) {
      if (!isOpen) throw attemptOver()
      const source = runner.eventSource ?? `/saga/${name}`
      events.push(outboxEvent(event, { source, traceparent: run.traceparent }))
    },
  }
  try {
    signal.throwIfAborted()
    const call = direction === 'run' ? step.run : step.compensate
    calling.isRunning = true
    running = asStep(async () => call?.(context))
    const returned = () => {
      calling.isRunning = false
    }
    running.then(returned, returned)
    return await Promise.race([running, rejected(over.signal)])
  } catch (error) {
    const isGone = held.lostSignal.aborted || held.givenUpSignal.aborted
    if (timeout.signal.aborted && !isGone)
      await endOf(running, Math.min(step.timeoutMs, RETURN_MS), held)
    throw error
  } finally {
    isOpen = false
    timer.cancel()
    asked.release()
    over.release()
  }
}

/** The results of the steps before `position`, by name. */
export function stateBefore(run: Run, position: number): Record<string, unknown> {
  const before = [...run.steps.values()].filter((row) => row.position < position)
  return Object.fromEntries(before.map(({ name, result }) => [name, result]))
}

function failureFrom(
  run: Run,
  { step, direction }: Action,
  error: unknown,
  durationMs: number,
): Failure {
  if (isResultInvalid(error)) return { error, durationMs, kind: 'permanent', hadNoEffect: false }
  const isPermanent = isA(PermanentError, error) || saysPermanent(step, error, run.id)
  // A compensation has no compensation. If it cannot succeed, an operator has to decide.
  if (!isPermanent) return { error, durationMs, kind: 'transient', hadNoEffect: false }
  return { error, durationMs, kind: 'permanent', hadNoEffect: direction === 'run' }
}

/**
 * The attempt has failed because its end could not be recorded. The error is one of the database:
 * even if the step calls it permanent, it does not say that the function, which had returned, left
 * nothing behind elsewhere.
 */
function refusedFailure(run: Run, action: Action, error: unknown, durationMs: number): Failure {
  return { ...failureFrom(run, action, error, durationMs), hadNoEffect: false }
}

/** Another attempt would write a second time, whatever the step says about the error. */
function committed(failure: Failure): Failure {
  return { ...failure, kind: 'permanent', hadNoEffect: false, hasCommitted: true }
}

/**
 * Calls the step's `isPermanent`. If it throws or returns anything but a boolean, such as a
 * promise, the error is reported and the failure counts as transient.
 */
function saysPermanent(step: Action['step'], failure: unknown, runId: string): boolean {
  try {
    const permanent: unknown = atOnce(step.isPermanent(failure))
    if (typeof permanent === 'boolean') return permanent
    throw new OptionsError(
      `isPermanent of step "${step.name}" returned ${String(permanent)}: return true or false, at once.`,
    )
  } catch (error) {
    reportError({ error, during: 'is-permanent', runId })
    return false
  }
}

/**
 * After the time limit, waits for the function to return, so that it does not overlap with a retry
 * or its compensation.
 */
async function endOf(
  running: Promise<unknown> | undefined,
  ms: number,
  { lostSignal, givenUpSignal }: Held,
): Promise<void> {
  const patience = new AbortController()
  const stopped = firstAbort([patience.signal, lostSignal, givenUpSignal])
  await Promise.race([running?.catch(() => {}), sleep(ms, stopped.signal)])
  patience.abort()
  stopped.release()
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function timedOut({ step, direction }: Action): Error {
  const what = direction === 'run' ? `Step "${step.name}"` : `The compensation of "${step.name}"`
  return new OncekeyError('handler-timeout', `${what} took longer than ${step.timeoutMs} ms.`)
}

function attemptOver(): OncekeyError {
  return new OncekeyError(
    'attempt-over',
    'emit(): the attempt has ended. Call emit() before the step returns.',
  )
}

/** How long a function may take to return after its time limit. Milliseconds. */
const RETURN_MS = 1_000
