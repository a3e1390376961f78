import type { SqlTransaction } from '../sql-client.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'

/**
 * Whether the handler has ended the transaction itself, so that an undo would undo nothing. The server
 * says so, by when the transaction began that its process is in; it is asked only where a statement
 * went out whose text can have done it. The handle is closed from here on.
 */
export async function endedByHandler<Tx>(
  { acquireTimeoutMs: timeoutMs, client, statements }: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  { backend, started }: StartedJson,
): Promise<boolean> {
  transaction.revoke()
  if (!transaction.mayHaveEnded()) return false
  const statement = statements.transactionState(backend, started)
  // On a single session only that session can be asked, and only while no statement of it has failed.
  const [row] = await (client.concurrency === 'one'
    ? transaction.query(statement)
    : client.query(statement, { timeoutMs })
  ).catch(() => [])
  return row?.state === 'over'
}
