import type { SqlClient, Statement } from '../sql-client.ts'

/**
 * Asks one question in a transaction of its own at READ COMMITTED. A statement alone takes the level that
 * the session was set to, so this is for those that were refused for it, with 40001.
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
