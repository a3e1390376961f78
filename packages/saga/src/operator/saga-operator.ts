import { type ActedBy, type DeadLetterSource, wholeMs } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import {
  atReadCommitted,
  type PostgresClient,
  quotedSchema,
  sqlClientOf,
} from '@oncekey/postgres/client'
import type { RunsState } from '../state/runner-state.ts'
import { statementsFor } from '../state/statements.ts'
import { sagaStoreError } from '../state/store-error.ts'
import { sagaDeadLetters } from './dead-letters.ts'
import { type CompensateOptions, compensate, resume, settle } from './interventions.ts'
import {
  getRun,
  type ListedRun,
  type ListFilter,
  listRuns,
  type RunState,
  type WholeRun,
} from './runs.ts'

export interface SagaOperatorOptions<Tx> {
  /** A Pool of `pg`, or another client wrapped by a bridge. It stays yours: you close it. */
  readonly client: PostgresClient<Tx>
  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string
  /** How long to wait for a connection, and for a reply. Milliseconds. @default 10_000 */
  readonly timeoutMs?: number
}

/** Inspects and manages runs from a program that does not have the sagas' code. */
export interface SagaOperator {
  /** A run with its steps and its timeline. */
  get(id: string): Promise<WholeRun | undefined>
  /**
   * Lists runs. Besides those in the states `stuck` and `compensation-failed`, a run counts as
   * stuck if it has been due for a minute and no process has taken it.
   */
  list(filter?: ListFilter): Promise<ListedRun[]>
  /**
   * Lets a run continue that is stuck, waits for its next attempt, or failed in its compensation,
   * at once and with its attempts counted from zero again. Returns the run's new state, or
   * `under-way` if a process drives the run at present: then nothing was changed, and the attempt
   * that has begun counts on.
   */
  resume(id: string, by?: ActedBy): Promise<RunState | 'under-way'>
  /** Undoes what a run has done, even if a process drives the run. Throws `saga-past-pivot`. */
  compensate(id: string, options?: CompensateOptions): Promise<RunState>
  /** Ends a run that was repaired by hand. Returns the run's new state. */
  settle(id: string, note: string, by?: ActedBy): Promise<RunState>
  readonly deadLetters: DeadLetterSource
  /**
   * Deletes at most `limit` runs that ended at least `retentionMs` ago, and returns how many; if
   * that is `limit`, there may be more. Runs that ended within the last minute are kept, so that
   * callers waiting for a run still find its end. Milliseconds. @default 30 days, 1000 runs
   */
  purge(options?: { readonly retentionMs?: number; readonly limit?: number }): Promise<number>
}

/**
 * Makes an operator's access to sagas. It drives no runs itself: saga runners continue the runs
 * that it resumes or compensates. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const stuck = await sagaOperator({ client: pool }).list({ stuck: true })
 * ```
 */
export function sagaOperator<Tx>(options: SagaOperatorOptions<Tx>): SagaOperator {
  const schema = options.schema ?? 'oncekey'
  const state: RunsState<Tx> = {
    client: atReadCommitted(sqlClientOf(options.client, { prepare: false })),
    schema,
    quotedSchema: quotedSchema(schema),
    acquireTimeoutMs: wholeMs('timeoutMs', options.timeoutMs ?? 10_000, 1),
    statements: statementsFor(quotedSchema(schema)),
    definitions: undefined,
  }
  return {
    get: (id) => getRun(state, id),
    list: (filter = {}) => listRuns(state, filter),
    resume: (id, by) => resume(state, id, by),
    compensate: (id, how = {}) => compensate(state, id, how),
    settle: (id, note, by) => settle(state, id, note, by),
    deadLetters: sagaDeadLetters(state),
    purge: (how) => purgeRuns(state, how),
  }
}

/** Deletes runs that ended at least `retentionMs` ago. */
export async function purgeRuns<Tx>(
  { client, statements, schema, acquireTimeoutMs: timeoutMs }: RunsState<Tx>,
  { retentionMs = 30 * 86_400_000, limit = 1_000 }: { retentionMs?: number; limit?: number } = {},
): Promise<number> {
  wholeMs('purge: retentionMs', retentionMs, 0)
  wholeNumber('purge: limit', limit, 1)
  const statement = statements.purgeRuns(retentionMs, limit)
  const [row] = await client.query(statement, { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  return Number(row?.count)
}
