import type { OutboxEvent } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { jsonText } from '../definition/json-value.ts'
import { failed, givenBack, type Move, succeeded } from '../run/move.ts'
import type { Action } from '../run/next-action.ts'
import type { Run } from '../run/run.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { reportError, type SagaStepTrace, sagaStepTrace, tell } from '../telemetry/channels.ts'
import { committed, failureFrom, refusedFailure } from './attempt-failure.ts'
import { type Call, callStep } from './call-step.ts'
import { type EndOfCall, type KeptEnd, keptFor } from './kept-end.ts'
import { stepTransaction, type Written } from './step-transaction.ts'

/**
 * The result of an attempt: the recorded move, or why nothing was recorded. `kept` is how the call
 * ended, unless something that the function wrote was lost with the record.
 */
export type Attempted =
  | { readonly kind: 'moved'; readonly move: Move }
  | { readonly kind: 'lost' }
  | { readonly kind: 'cancelled' }
  | InDoubt

/** It is unknown whether `move` is on record. */
export interface InDoubt {
  readonly kind: 'in-doubt'
  readonly error: unknown
  readonly move: Move
  readonly kept?: KeptEnd
}

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
    const isLost = written.kind === 'in-doubt' && !written.isAlone
    if (isLost || 'isCutShort' in end) return { kind: 'in-doubt', error, move }
    return { kind: 'in-doubt', error, move, kept: { action, end, events, startedAt } }
  }
  if (written.kind !== 'written') return written
  const { outcome } = move
  if (outcome !== 'begun') {
    const durationMs = performance.now() - startedAt
    tell('oncekey:saga-recorded', () => ({ ...message, outcome, durationMs }))
  }
  return { kind: 'moved', move }

  async function endOfCall(): Promise<EndOfCall | CutShort> {
    const call: Call = { isRunning: false, own: new Set() }
    tell('oncekey:saga-attempt', () => message)
    try {
      const value = await callStep(runner, definition, held, run, action, transaction, events, call)
      const what = `The result of step "${step.name}" of saga "${run.saga}"`
      return { result: direction === 'run' ? jsonText(what, value, runner.maxResultBytes) : 'null' }
    } catch (error) {
      // The runner stops and has aborted the attempt. That is no failure: the attempt does not
      // count, and another process repeats it.
      if (runner.stopping) return { isCutShort: true, isRunning: call.isRunning }
      return failureFrom(run, action, error, performance.now() - startedAt, call.own)
    }
  }
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
