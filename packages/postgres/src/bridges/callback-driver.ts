import type { Isolation, Statement } from '../sql/sql-client.ts'
import type { HandleRules } from './handle/handle-rules.ts'

/** A driver or ORM that runs a transaction by calling a function. */
export interface CallbackDriver<Tx extends object> {
  readonly concurrency: 'many' | 'one'
  readonly poolSize: number
  /**
   * Opens a transaction, runs `body` in it, commits when `body` resolves and rolls back when it
   * rejects.
   */
  transaction(isolation: Isolation, body: (tx: Tx) => Promise<void>): Promise<void>
  /**
   * Runs a statement in the transaction, or in autocommit. When the signal aborts, it stops the
   * statement on the server if it can; the signal is never aborted for a statement that may be
   * committing.
   */
  query<Row>(statement: Statement<Row>, tx?: Tx, signal?: AbortSignal): Promise<Row[]>
  /**
   * Whether consecutive statements reach the server in order. If so, COMMIT is sent without waiting
   * for the reply to the statement before it; if that statement fails, the server turns COMMIT into
   * a rollback.
   */
  readonly pipelines?: boolean
  /**
   * Resolves when no statement of the transaction waits in the driver. Needed for a driver whose
   * ROLLBACK overtakes waiting statements.
   */
  readonly settled?: (tx: Tx) => Promise<void>
  /** Whether this error means that the connection is gone. Then not even a rollback may be sent. */
  readonly isLost?: (error: unknown) => boolean
  /**
   * Whether the driver can give the connection of an open transaction to somebody else, who then
   * ends the transaction. No text that the handler sends tells whether that has happened, so the
   * server is asked each time.
   */
  readonly sharesConnections?: boolean
  readonly rules: HandleRules
}
