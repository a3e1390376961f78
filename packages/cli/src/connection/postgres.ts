import pg from 'pg'
import type { ServerUrl } from './server-url.ts'

/** A pool of a few connections that are opened when they are needed. */
export function openPostgres({ href }: ServerUrl, timeoutMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: href,
    fallback_application_name: 'oncekey-cli',
    max: 4,
    connectionTimeoutMillis: timeoutMs,
    allowExitOnIdle: true,
  })
  // A connection that is lost while nobody uses it is no news: the next question says so.
  pool.on('error', () => {})
  return pool
}
