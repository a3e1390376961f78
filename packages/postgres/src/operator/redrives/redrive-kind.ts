import type { SqlValue } from '../../sql/sql-client.ts'

/**
 * The SQL that differs between kinds of redrives. The log, webhooks and sagas each have one kind.
 * In these parts `mine` is the row of the redrive; `values` gives their parameters, which are
 * numbered from $1.
 */
export interface RedriveKind {
  readonly source: 'consumers' | 'webhooks' | 'sagas'
  readonly kind: 'dead-letters' | 'window'
  /**
   * The table with its alias, such as `oncekey.deliveries d`. It must have an index in the order of
   * `at` and `id`.
   */
  readonly table: string
  readonly id: string
  readonly idType: 'bigint' | 'text' | 'uuid'
  /** A value below every id, with which the cursor begins. */
  readonly lowestId: string
  readonly at: string
  /** The condition for a row to be looked at. It must be the condition of the index. */
  readonly isCandidate: (filter: unknown) => string
  /** Joins of the tables that `isMeant` needs besides `table`. */
  readonly join: string
  /** The condition for a row to be taken. It implies `isCandidate`. */
  readonly isMeant: string
  values(filter: unknown): readonly SqlValue[]
  /**
   * CTEs that put back the rows of `picked` (id, at). The last CTE must be named `put` (id,
   * outcome); `outcome` is `redriven`, or why the row was not put back. A row of `picked` that is
   * missing from `put` was taken by somebody else.
   */
  readonly put: string
}
