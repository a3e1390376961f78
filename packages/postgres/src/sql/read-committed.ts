import type { SqlClient, Statement } from './sql-client.ts'
import { sqlState } from './sql-state.ts'
import { SERIALIZATION_FAILURE } from './when-serialized.ts'

/** Runs one statement in a transaction of its own. Rejects as {@link SqlClient.query} does. */
export type AskOne = <Row>(
  statement: Statement<Row>,
  options: { readonly timeoutMs: number },
) => Promise<Row[]>

/**
 * Returns a function that runs statements in autocommit, whatever isolation level the sessions of
 * the client have as their default.
 *
 * A session of a higher level refuses some statements with 40001, and has then done nothing: those
 * that met a row which was changed since their snapshot, and those of ours that say themselves that
 * one snapshot is not enough. Such a statement is sent again at READ COMMITTED. What else writes is
 * sent there at once for a minute, since the other sessions probably have the same default: one
 * more round trip, but no error in the server's log for each statement.
 */
export function atReadCommitted(client: Pick<SqlClient, 'begin' | 'query'>): AskOne {
  let until = Number.NEGATIVE_INFINITY

  return async (statement, { timeoutMs }) => {
    const late = performance.now() + timeoutMs
    if (statement.cancellable === true || performance.now() >= until) {
      try {
        return await client.query(statement, { timeoutMs })
      } catch (error) {
        if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
        until = performance.now() + A_MINUTE_MS
      }
    }
    const leftMs = Math.max(1, late - performance.now())
    return await askReadCommitted(client, statement, { timeoutMs: leftMs })
  }
}

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
const A_MINUTE_MS = 60_000
