import pg from 'pg'
import type { ServerUrl } from './server-url.ts'

/** A pool of a few connections, each of which is opened when it is needed. */
export function openPostgres({ href }: ServerUrl, timeoutMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: href,
    fallback_application_name: 'oncekey-cli',
    max: 4,
    connectionTimeoutMillis: timeoutMs,
    allowExitOnIdle: true,
  })
  // If an idle connection is lost, nothing has to be said: the next query reports it.
  pool.on('error', () => {})
  return pool
}
