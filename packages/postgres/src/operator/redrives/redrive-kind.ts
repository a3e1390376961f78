import type { SqlValue } from '../../sql/sql-client.ts'

/**
 * The parts of SQL by which one kind of redrive differs; the log, webhooks and sagas have one each.
 * The parts see the redrive as `mine` and may use the parameters that `values` gives, from $1 on.
 */
export interface RedriveKind {
  readonly source: 'consumers' | 'webhooks' | 'sagas'
  readonly kind: 'dead-letters' | 'window'
  /**
   * The table with its alias, which an index has in the order of `at` and `id`: `oncekey.deliveries
   * d`.
   */
  readonly table: string
  readonly id: string
  readonly idType: 'bigint' | 'text' | 'uuid'
  /** Below every id, to begin with. */
  readonly lowestId: string
  readonly at: string
  /** The condition for a row to be looked at, the same as that of the index. */
  readonly isCandidate: (filter: unknown) => string
  /** Joins of what `isMeant` needs beside the table. */
  readonly join: string
  /**
   * The condition for a row that is looked at to be taken. It is never true of rows that are not
   * looked at.
   */
  readonly isMeant: string
  values(filter: unknown): readonly SqlValue[]
  /**
   * CTEs that take the rows of `picked` (id, at), the last one being `put` (id, outcome):
   * `redriven`, or why not. A row of `picked` that is not in `put` was taken by somebody else.
   */
  readonly put: string
}
