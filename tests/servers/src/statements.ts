import { onServer } from './database.ts'

export interface StatementCalls {
  /** As Postgres normalizes it: constants are $1, $2, … */
  query: string
  calls: number
}

/** Resets the counters of the database of `url`. */
export async function resetStatements(url: string): Promise<void> {
  await onServer(url, (client) =>
    client.query(`SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = $1`, [
      databaseOf(url),
    ]),
  )
}

/**
 * The statements executed in the database of `url` since the last reset, including BEGIN and
 * COMMIT.
 */
export async function countStatements(url: string): Promise<StatementCalls[]> {
  const { rows } = await onServer(url, (client) =>
    client.query<StatementCalls>(
      `SELECT query, calls::int
       FROM pg_stat_statements JOIN pg_database ON dbid = pg_database.oid
       WHERE datname = $1 AND calls > 0
       ORDER BY query`,
      [databaseOf(url)],
    ),
  )
  return rows
}

function databaseOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}
