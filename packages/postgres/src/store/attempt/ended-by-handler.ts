import type { StartedJson } from '../../commit/attempt-mark.ts'
import type { SqlTransaction } from '../../sql/sql-client.ts'
import type { StoreState } from './store-state.ts'

/**
 * Whether the handler ended the transaction itself, so that a rollback would undo nothing. The
 * server knows: the backend is in a transaction that began at another time. It is asked only if the
 * handler sent a statement whose text can have ended it. This closes the handle.
 */
export async function endedByHandler<Tx>(
  { acquireTimeoutMs: timeoutMs, client, statements }: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  { backend, started }: StartedJson,
): Promise<boolean> {
  transaction.revoke()
  if (!transaction.mayHaveEnded()) return false
  const statement = statements.transactionState(backend, started)
  // With a single session only that session can be asked, and only while none of its statements
  // failed.
  const [row] = await (client.concurrency === 'one'
    ? transaction.query(statement)
    : client.query(statement, { timeoutMs })
  ).catch(() => [])
  return row?.state === 'over'
}
