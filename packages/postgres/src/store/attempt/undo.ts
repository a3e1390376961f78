import type { StartedJson } from '../../commit/attempt-mark.ts'
import type { SqlTransaction, Statement } from '../../sql/sql-client.ts'
import type { StoreState } from './store-state.ts'

/**
 * Rolls a transaction back. Never rejects: if the ROLLBACK gets no reply, the connection is
 * destroyed, and the server process is ended through another connection.
 */
export async function undo<Tx>(
  store: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  started: StartedJson | undefined,
): Promise<void> {
  // The handler may have sent a COMMIT that is still under way when the ROLLBACK is sent.
  const mayCommit = transaction.mayHaveEnded()
  try {
    await transaction.rollback({ timeoutMs: UNDO_TIMEOUT_MS })
  } catch {
    if (started !== undefined) terminate(store, started, { mayCommit })
  }
}

/**
 * Ends a server process whose transaction may still be open. When a connection is lost, the
 * statement that runs on it continues, and holds the key until it ends. This runs in the
 * background, and may fail.
 *
 * Once COMMIT may have been sent, the process can begin at any instant to wait for a synchronous
 * standby. If it is ended while it waits, the commit becomes visible to all although a failover
 * would take it back. So with synchronous standbys such a process is left alone, and keeps its key
 * until it ends by itself.
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

/**
 * Short, because a rollback is quick unless a statement is still running before it. Milliseconds.
 */
export const UNDO_TIMEOUT_MS = 1_000
