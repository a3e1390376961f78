import { type DeadLetterSource, wholeMs } from '@oncekey/core'
import { type PostgresClient, quotedSchema, sqlClientOf } from '@oncekey/postgres/client'
import { whole } from '../state/runner-options.ts'
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
  /** A Pool of `pg`, or what a bridge made of another client. It stays yours. */
  readonly client: PostgresClient<Tx>
  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string
  /** How long to wait for a connection and an answer. Milliseconds. @default 10_000 */
  readonly timeoutMs?: number
}

/** What a person may see of runs and do to them, in a program that has none of the sagas. */
export interface SagaOperator {
  /** A run with its steps and its story. */
  get(id: string): Promise<WholeRun | undefined>
  /** Those that nobody takes count as stuck once they have been due for a minute. */
  list(filter?: ListFilter): Promise<ListedRun[]>
  /** Has a run that is stuck, waits, or could not be undone go on, with its attempts forgiven. Returns its state. */
  resume(id: string): Promise<RunState>
  /** Undoes what a run has done, also one that is under way. Throws `saga-past-pivot`. */
  compensate(id: string, options?: CompensateOptions): Promise<RunState>
  /** Ends a run that was put right by hand. */
  settle(id: string, note: string): Promise<RunState>
  readonly deadLetters: DeadLetterSource
  /**
   * Forgets runs that ended long enough ago, a minute at least, so that who waits finds the end.
   * Milliseconds. @default 30 days, 1000 runs
   */
  purge(options?: { readonly retentionMs?: number; readonly limit?: number }): Promise<number>
}

/**
 * Runs of sagas for an operator's program. It drives none: what is resumed or compensated is taken up by
 * the runners. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const stuck = await sagaOperator({ client: pool }).list({ stuck: true })
 * ```
 */
export function sagaOperator<Tx>(options: SagaOperatorOptions<Tx>): SagaOperator {
  const schema = options.schema ?? 'oncekey'
  const state: RunsState<Tx> = {
    client: sqlClientOf(options.client, { prepare: false }),
    schema,
    acquireTimeoutMs: wholeMs('timeoutMs', options.timeoutMs ?? 10_000, 1),
    statements: statementsFor(quotedSchema(schema)),
    definitions: undefined,
  }
  return {
    get: (id) => getRun(state, id),
    list: (filter = {}) => listRuns(state, filter),
    resume: (id) => resume(state, id),
    compensate: (id, how = {}) => compensate(state, id, how),
    settle: (id, note) => settle(state, id, note),
    deadLetters: sagaDeadLetters(state),
    purge: (how) => purgeRuns(state, how),
  }
}

/** Forgets runs that ended long enough ago. */
export async function purgeRuns<Tx>(
  { client, statements, schema, acquireTimeoutMs: timeoutMs }: RunsState<Tx>,
  { retentionMs = 30 * 86_400_000, limit = 1_000 }: { retentionMs?: number; limit?: number } = {},
): Promise<number> {
  wholeMs('purge: retentionMs', retentionMs, 0)
  whole('purge: limit', limit, 1)
  const statement = statements.purgeRuns(retentionMs, limit)
  const [row] = await client.query(statement, { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  return Number(row?.count)
}
