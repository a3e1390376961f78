import type { ReservedClient, SqlClient, Statement } from './sql-client.ts'
import { sqlState } from './sql-state.ts'
import { SERIALIZATION_FAILURE, whenSerialized } from './when-serialized.ts'

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

/**
 * The same client, for statements that were written for READ COMMITTED: one that the server refuses
 * with 40001, because the session is set to another level, is sent again at READ COMMITTED. Nothing
 * of the refused one is kept. On a connection that was set aside it is only sent again, with a new
 * snapshot, ten times at most: a transaction there could outlive its caller. Transactions of
 * `begin` have the level that it names.
 */
export function atReadCommitted<Tx>(client: SqlClient<Tx>): SqlClient<Tx> {
  const { reserve } = client
  return {
    concurrency: client.concurrency,
    get poolSize() {
      return client.poolSize
    },
    begin: (options) => client.begin(options),
    async query(statement, options) {
      try {
        return await client.query(statement, options)
      } catch (error) {
        if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
        options.signal?.throwIfAborted()
        return await askReadCommitted(client, statement, options)
      }
    },
    ...(reserve !== undefined && {
      reserve: async (options) => sentAgain(await reserve.call(client, options)),
    }),
  }
}

function sentAgain(reserved: ReservedClient): ReservedClient {
  return {
    query: (statement, options) => whenSerialized(() => reserved.query(statement, options)),
    release: () => reserved.release(),
  }
}

const NOTHING: Statement = { name: 'nothing', text: 'select', values: [] }
