import type { StartedJson } from '../../commit/attempt-mark.ts'
import { within } from '../../sql/deadline.ts'
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
  if (row?.state === 'over' || row?.state === 'open') return row.state === 'over'
  if (client.concurrency === 'one') return false
  // There was no connection to ask on, or the server hides what its sessions do. The session itself
  // can say it, but not behind a statement that does not end.
  const work = transaction.query(statements.sameTransaction(started))
  const [own] = await within(OWN_ANSWER_MS, work, noAnswer).catch(() => [])
  return own?.same === 'false'
}

const OWN_ANSWER_MS = 1_000

function noAnswer(): Error {
  return new Error('The session did not answer in time.')
}
