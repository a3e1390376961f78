import type { SqlClient, Statement } from './sql-client.ts'

/**
 * Runs one statement in a transaction of its own at READ COMMITTED. In autocommit a statement runs
 * at the isolation level of the session; if it was refused there with 40001, it is sent again with
 * this function.
 */
export async function askReadCommitted<Row>(
  client: Pick<SqlClient, 'begin'>,
  statement: Statement<Row>,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Row[]> {
  const isolation = 'read committed'
  const { rows, transaction } = await client.begin({ isolation, first: statement, timeoutMs })
  await transaction.commit(NOTHING, { timeoutMs })
  return rows
}

const NOTHING: Statement = { name: 'nothing', text: 'select', values: [] }
