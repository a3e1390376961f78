import { within } from '@oncekey/core'
import type { SqlTransaction, Statement } from '@oncekey/postgres/client'

/**
 * Whether the step ended its transaction itself, by a procedure with a COMMIT in it for example, so
 * that a rollback would undo nothing. The session is asked only if the step sent a statement whose
 * text can have ended the transaction. `isHeld` asks whether the mark is there that `saga_hold_2`
 * left in the transaction. The call closes the handle.
 *
 * A transaction in which a statement failed refuses every question, which shows that it has not
 * ended. If the session does not answer, the rollback that follows finds that out.
 */
export async function endedByStep<Tx>(
  transaction: SqlTransaction<Tx>,
  isHeld: Statement<{ held: string }>,
): Promise<boolean> {
  transaction.revoke()
  if (!transaction.mayHaveEnded()) return false
  return await within(OWN_ANSWER_MS, transaction.query(isHeld), noAnswer).then(
    ([row]) => row?.held === 'false',
    () => false,
  )
}

/** A rollback waits for the same statements of the step. Milliseconds. */
const OWN_ANSWER_MS = 1_000

function noAnswer(): Error {
  return new Error('The session did not answer in time.')
}
