import type { SqlValue } from '../../sql/sql-client.ts'

/**
 * What one kind of redrive takes, as parts of SQL: the log, webhooks and sagas have one each. The
 * parts see the redrive as `mine` and may use the parameters that `values` gives, from $1 on.
 */
export interface RedriveKind {
  readonly source: 'consumers' | 'webhooks' | 'sagas'
  readonly kind: 'dead-letters' | 'window'
  /** What is looked at, in an order of time and id that an index has: `oncekey.deliveries d`. */
  readonly table: string
  readonly id: string
  readonly idType: 'bigint' | 'text' | 'uuid'
  /** Below every id, to begin with. */
  readonly lowestId: string
  readonly at: string
  /** Which rows are looked at at all: those that the index holds. */
  readonly isCandidate: (filter: unknown) => string
  /** What `isMeant` needs beside the table. */
  readonly join: string
  /** Which of those looked at are taken; `isMeant` is true of no others. */
  readonly isMeant: string
  values(filter: unknown): readonly SqlValue[]
  /**
   * CTEs that take the rows of `picked` (id, at), the last one being `put` (id, outcome):
   * `redriven`, or why not. A row of `picked` that is not in `put` was taken by somebody else.
   */
  readonly put: string
}
