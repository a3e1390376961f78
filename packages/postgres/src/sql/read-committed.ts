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
 * The same client, for statements that were written for READ COMMITTED, whatever isolation level
 * its sessions have as their default.
 *
 * A session of a higher level refuses some statements with 40001, and has then done nothing: those
 * that met a row which was changed since their snapshot, and those of ours that say themselves that
 * one snapshot is not enough. Such a statement is sent again at READ COMMITTED. What else writes is
 * sent there at once for a minute, since the other sessions probably have the same default: one
 * more round trip, but no error in the server's log for each statement.
 *
 * On a connection that was set aside a refused statement is only sent again, with a new snapshot,
 * ten times at most: a transaction there could outlive its caller. Transactions of `begin` have the
 * level that it names.
 */
export function atReadCommitted<Tx>(client: SqlClient<Tx>): SqlClient<Tx> {
  const { reserve } = client
  let refusedUntil = Number.NEGATIVE_INFINITY
  return {
    concurrency: client.concurrency,
    get poolSize() {
      return client.poolSize
    },
    begin: (options) => client.begin(options),
    async query(statement, options) {
      const until = performance.now() + options.timeoutMs
      const { cancellable = false } = statement
      // What may be given up in the middle is not sent in a transaction, which has no signal.
      const mayBeRefused = cancellable || options.signal !== undefined
      if (mayBeRefused || performance.now() >= refusedUntil) {
        try {
          return await client.query(statement, options)
        } catch (error) {
          if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
          refusedUntil = performance.now() + A_MINUTE_MS
        }
      }
      options.signal?.throwIfAborted()
      const timeoutMs = Math.max(1, until - performance.now())
      return await askReadCommitted(client, statement, { timeoutMs })
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
const A_MINUTE_MS = 60_000
