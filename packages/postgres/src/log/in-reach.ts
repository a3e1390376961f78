import { askReadCommitted } from '../sql/read-committed.ts'
import type { Statement } from '../sql/sql-client.ts'
import { sqlState } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'
import type { LogState } from './log-state.ts'

/**
 * Runs a statement that takes a snapshot. If very many transactions have begun since the last one
 * that has completed, it needs a second snapshot, later than its first. A session whose default
 * isolation level is a higher one has only one: there the server refuses the statement, and it is
 * sent again at READ COMMITTED.
 */
export async function inReach<Tx, Row>(
  { ask, client, schemaName, timeoutMs }: LogState<Tx>,
  statement: Statement<Row>,
): Promise<Row[]> {
  try {
    return await ask(statement)
  } catch (error) {
    if (sqlState(error) !== OUT_OF_REACH) throw error
  }
  try {
    return await askReadCommitted(client, statement, { timeoutMs })
  } catch (error) {
    throw storeError(error, schemaName)
  }
}

const OUT_OF_REACH = 'OK005'
