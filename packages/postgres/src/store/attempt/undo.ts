import type { StartedJson } from '../../commit/attempt-mark.ts'
import type { SqlTransaction, Statement } from '../../sql/sql-client.ts'
import type { StoreState } from './store-state.ts'

/**
 * Rolls a transaction back. Never rejects: if the ROLLBACK gets no answer, the connection is
 * destroyed and the backend is ended from another one.
 */
export async function undo<Tx>(
  store: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  started: StartedJson | undefined,
): Promise<void> {
  // A COMMIT that the handler sent may be under way, in front of the ROLLBACK.
  const mayCommit = transaction.mayHaveEnded()
  try {
    await transaction.rollback({ timeoutMs: UNDO_TIMEOUT_MS })
  } catch {
    if (started !== undefined) terminate(store, started, { mayCommit })
  }
}

/**
 * Ends a backend whose transaction may still be open. The loss of a connection does not stop the
 * statement that runs on it, which holds the key until it ends. This runs in the background, and
 * may fail.
 *
 * Once COMMIT may have been sent, the backend can begin to wait for a synchronous standby at any
 * instant. Ended in that wait, it would make the commit visible to all although a failover would
 * take it back. So with synchronous standbys such a backend is left alone, and keeps its key until
 * it ends by itself.
 */
export function terminate<Tx>(
  store: StoreState<Tx>,
  { backend, started }: StartedJson,
  { mayCommit }: { readonly mayCommit: boolean },
): void {
  if (store.client.concurrency === 'one') return
  const statement: Statement = store.statements.terminateBackend({ backend, started, mayCommit })
  store.client.query(statement, { timeoutMs: store.acquireTimeoutMs }).catch(() => {})
}

/** Short, because a rollback is quick unless a statement is still running in front of it. */
export const UNDO_TIMEOUT_MS = 1_000
