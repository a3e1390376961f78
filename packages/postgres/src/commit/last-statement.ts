import { messageOf, OncekeyError } from '@oncekey/core'
import type { Statement } from '../sql/sql-client.ts'

/**
 * Makes the statement with which a transaction ends. It may be impossible: a text has at most 512
 * million characters, which many events have together. Then this throws `transaction-aborted`, and
 * the caller has to roll back: nobody else would end the transaction, and it would keep its locks
 * and its connection.
 */
export function lastStatement<Row>(make: () => Statement<Row>): Statement<Row> {
  try {
    return make()
  } catch (cause) {
    throw new OncekeyError(
      'transaction-aborted',
      `Nothing was stored, because what has to be stored cannot be sent: ${messageOf(cause)}`,
      { cause },
    )
  }
}
