import type { SqlTransaction, Statement } from '../sql-client.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'

/**
 * Ends a transaction without a trace. Never rejects: where the server does not hear of it, the
 * connection is gone, and the server is told by another.
 */
export async function undo<Tx>(
  store: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  started: StartedJson | undefined,
): Promise<void> {
  try {
    await transaction.rollback({ timeoutMs: UNDO_TIMEOUT_MS })
  } catch {
    if (started !== undefined) terminate(store, started, { mayCommit: false })
  }
}

/**
 * Ends what may still be open on the server, if it is: a statement that runs there is not stopped by
 * the loss of its connection, and until it is, it holds the key. In the background, and only tried.
 *
 * Once COMMIT may be on its way the backend can come to wait for a synchronous standby at any instant,
 * and must not be ended in that: the commit would be seen by all, and a failover would take it back.
 * Where there are such standbys it is left alone, and keeps its key until it has ended by itself.
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

/** Short: a rollback takes no time, unless a statement is still running before it. */
export const UNDO_TIMEOUT_MS = 1_000
