import { type ActedBy, actedBy, OptionsError } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { forwardFromOf } from '../definition/definition.ts'
import { failureOf } from '../run/failure.ts'
import { isRunId } from '../run/run-request.ts'
import { SagaError } from '../run/saga-error.ts'
import type { RunsState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { RunStateJson } from '../statements/run-json.ts'
import type { FoundRunJson } from '../statements/runs.ts'

/**
 * Makes a run continue from where it stopped, with its attempts counted from zero, also one that
 * waits for its next attempt. `under-way`: a process drives it, and nothing was changed.
 */
export async function resume<Tx>(
  runner: RunsState<Tx>,
  id: string,
  by?: ActedBy,
): Promise<RunStateJson | 'under-way'> {
  const statement = runner.statements.resumeRun(id, actedBy('resume', by))
  return known(id, await stateAfter(runner, id, statement))
}

export interface CompensateOptions {
  /** A text that is stored with the run, for people who look at it later. */
  readonly note?: string
  /**
   * Undoes a run even if its pivot may have happened. Set it only after checking that the pivot did
   * not happen, or after undoing it by hand: steps from the pivot on have no compensation. @default
   * false
   */
  readonly pastPivot?: boolean
  /** Who acts, for the audit trail. @default the login of the connection */
  readonly actor?: string
}

/**
 * Undoes what a run has done, even if a process drives the run. Throws `saga-past-pivot`. Where the
 * pivot is, the plan stored with the run decides, because the saga that is registered here under
 * the same name may have other steps.
 */
export async function compensate<Tx>(
  runner: RunsState<Tx>,
  id: string,
  { note = 'undone by an operator', pastPivot = false, actor }: CompensateOptions,
): Promise<RunStateJson> {
  const by = { ...actedBy('compensate', actor === undefined ? {} : { actor }), note }
  const forwardFrom = forwardFromOf((await findPlan(runner, id)) ?? [])
  const error = JSON.stringify(failureOf(Object.assign(new Error(note), { name: 'Operator' })))
  const statement = runner.statements.compensateRun({ id, forwardFrom, error, pastPivot, by })
  const state = known(id, await stateAfter(runner, id, statement))
  if (state !== 'past-pivot') return state
  throw new SagaError(
    'saga-past-pivot',
    `Run ${id} has begun its pivot or a later step, from which a saga only goes forward. If you ` +
      'know that it did not happen, write compensate(id, { pastPivot: true }).',
    { runId: id },
  )
}

/** Ends a run that somebody has repaired by hand and that no process is driving. */
export async function settle<Tx>(
  runner: RunsState<Tx>,
  id: string,
  note: string,
  given?: ActedBy,
): Promise<RunStateJson> {
  const by = actedBy('settle', given)
  if (typeof note !== 'string' || note.trim() === '' || note.includes('\0')) {
    throw new OptionsError(
      "settle: a note says why, in text without NUL: settle(id, 'refunded by hand, ticket 4711').",
    )
  }
  return known(id, await stateAfter(runner, id, runner.statements.settleRun(id, note, by)))
}

async function findPlan<Tx>(
  { client, statements, acquireTimeoutMs: timeoutMs, schema }: RunsState<Tx>,
  id: string,
): Promise<FoundRunJson['plan'] | undefined> {
  if (!isRunId(id)) return undefined
  const [row] = await client.query(statements.findRun(id), { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  return row === undefined ? undefined : (JSON.parse(row.run) as FoundRunJson).plan
}

async function stateAfter<Tx, State>(
  { client, acquireTimeoutMs: timeoutMs, schema }: RunsState<Tx>,
  id: string,
  statement: Statement<{ state: State }>,
): Promise<State | undefined> {
  if (!isRunId(id)) return undefined
  const [row] = await client.query(statement, { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  return row?.state
}

function known<State>(id: string, state: State | null | undefined): State {
  if (state !== null && state !== undefined) return state
  throw new SagaError('saga-unknown', `There is no run ${id} of a saga.`, { runId: id })
}
