import { markOf, type StartedJson } from '../../commit/attempt-mark.ts'
import { endedInside } from '../../commit/ended-inside.ts'
import type { SqlTransaction } from '../../sql/sql-client.ts'
import type { StoreState } from './store-state.ts'

/**
 * Whether the handler ended the transaction itself, so that a rollback would undo nothing: see
 * {@link endedInside}. The call closes the handle.
 */
export function endedByHandler<Tx>(
  { acquireTimeoutMs: timeoutMs, client, statements }: StoreState<Tx>,
  transaction: SqlTransaction<Tx>,
  { backend, started }: StartedJson,
  token: string,
): Promise<boolean> {
  const isSame = statements.sameTransaction({ started, mark: markOf(client, token) })
  return endedInside(client, transaction, { isSame, backend, started, timeoutMs })
}
