import { within } from '@oncekey/core'
import type { SqlClient, SqlTransaction, Statement } from '../sql/sql-client.ts'
import { isOutcomeKnown } from '../sql/sql-state.ts'
import { type BegunAt, transactionState } from './transaction-state.ts'

/**
 * Whether the code that a transaction was lent to has ended it, so that a rollback would undo
 * nothing. The server is asked only if a statement was sent whose text can have ended it, and only
 * before a rollback. No COMMIT of ours can be under way then, because an attempt ends once. The
 * call closes the handle.
 *
 * The question is sent on the session itself, because no other connection may be free, and because
 * a server may hide what its sessions do. If the session does not reply, a statement of that code
 * is under way on it, or the connection is lost; then another connection asks what the session is
 * doing.
 */
export async function endedInside<Tx>(
  client: Pick<SqlClient<Tx>, 'query' | 'concurrency'>,
  transaction: SqlTransaction<Tx>,
  { isSame, timeoutMs, ...begun }: EndedQuestion,
): Promise<boolean> {
  transaction.revoke()
  if (!transaction.mayHaveEnded()) return false
  const own = await within(OWN_ANSWER_MS, transaction.query(isSame), noAnswer).then(
    ([row]) => row?.same,
    // A transaction in which a statement failed refuses every question, which shows that it has not
    // ended.
    (error) => (isOutcomeKnown(error) ? 'true' : undefined),
  )
  if (own !== undefined || client.concurrency === 'one') return own === 'false'
  const [row] = await client.query(transactionState(begun), { timeoutMs }).catch(() => [])
  return row?.state === 'over'
}

export interface EndedQuestion extends BegunAt {
  /** Asks the session whether it is still in the transaction. */
  readonly isSame: Statement<{ same: string }>
  /** The limit for asking another connection. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * The limit for the session's own reply. It equals that of a rollback, which waits for the same
 * statements. Milliseconds.
 */
const OWN_ANSWER_MS = 1_000

function noAnswer(): Error {
  return new Error('The session did not answer in time.')
}
