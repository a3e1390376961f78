import { STARTED } from '../schema/functions/store/start-attempt.ts'
import type { Statement } from '../sql/sql-client.ts'
import type { Began } from './attempt-mark.ts'

/**
 * Whether the session is still in the transaction that began at `started` and has this mark: see
 * {@link markOf}. It is asked on the session itself, and fails in a transaction in which a
 * statement has failed.
 */
export function sameTransaction({ started, mark }: Began): Statement<{ same: 'true' | 'false' }> {
  return {
    name: 'same_transaction',
    text: `select (${STARTED} = $1::bigint
      and ($2::text is null or current_setting('oncekey.attempt', true) is not distinct from $2::text)
      )::text as same`,
    values: [started, mark],
    cancellable: true,
  }
}
