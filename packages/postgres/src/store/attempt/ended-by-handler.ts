import { within } from '@oncekey/core'
import type { StartedJson } from '../../commit/attempt-mark.ts'
import type { SqlTransaction } from '../../sql/sql-client.ts'
import { isOutcomeKnown } from '../../sql/sql-state.ts'
import type { StoreState } from './store-state.ts'

/**
 * Whether the handler ended the transaction itself, so that a rollback would undo nothing. The
 * server is asked only if the handler sent a statement whose text can have ended it, and only
 * before an undo or a refusal. No COMMIT of ours can be under way then, because an attempt ends
 * once. The call closes the handle.
 *
 * The question is sent on the session itself, because no other connection may be free, and because
 * a server may hide what its sessions do. If the session does not reply, a statement of the handler
 * is under way on it, or the connection is lost; then another connection asks what the session is
 * doing.
 */
export async function endedByHandler<Tx>(
  { acquireTimeoutMs: timeoutMs, client, statements }: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  { backend, started }: StartedJson,
): Promise<boolean> {
  transaction.revoke()
  if (!transaction.mayHaveEnded()) return false
  const work = transaction.query(statements.sameTransaction(started))
  const own = await within(OWN_ANSWER_MS, work, noAnswer).then(
    ([row]) => row?.same,
    // A transaction in which a statement failed refuses every question, which shows that it has not
    // ended.
    (error) => (isOutcomeKnown(error) ? 'true' : undefined),
  )
  if (own !== undefined || client.concurrency === 'one') return own === 'false'
  const [row] = await client
    .query(statements.transactionState(backend, started), { timeoutMs })
    .catch(() => [])
  return row?.state === 'over'
}

/**
 * The limit for the session's own reply. It equals that of a rollback, which waits for the same
 * statements. Milliseconds.
 */
const OWN_ANSWER_MS = 1_000

function noAnswer(): Error {
  return new Error('The session did not answer in time.')
}
