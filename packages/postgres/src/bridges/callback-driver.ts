import type { Isolation, Statement } from '../sql/sql-client.ts'
import type { HandleRules } from './transaction-handle.ts'

/** A driver or ORM whose transactions are a function that is given a callback. */
export interface CallbackDriver<Tx extends object> {
  readonly concurrency: 'many' | 'one'
  readonly poolSize: number
  /** Opens a transaction, runs `body` in it, commits when it resolves, rolls back when it rejects. */
  transaction(isolation: Isolation, body: (tx: Tx) => Promise<void>): Promise<void>
  /**
   * Runs a statement in the transaction, or in autocommit. Aborted: stops it on the server, if it can.
   * Only what cannot be committing is ever aborted.
   */
  query<Row>(statement: Statement<Row>, tx?: Tx, signal?: AbortSignal): Promise<Row[]>
  /**
   * Whether statements that are sent one after the other arrive so. Then COMMIT does not wait for
   * the answer to the one before it, whose failure makes it a rollback.
   */
  readonly pipelines?: boolean
  /** Whether the connection is gone with this error, and may not even be told to roll back any more. */
  readonly isLost?: (error: unknown) => boolean
  readonly rules: HandleRules
}
