import { sqlState } from './sql-state.ts'

/**
 * Whether a statement was not sent because there was no connection for it: the pool was ended, no
 * connection was accepted, or the server refused the login. The statement then has no effect, and
 * will have none.
 */
export function isNeverSent(error: unknown): boolean {
  if (NOT_LET_IN.has(sqlState(error) ?? '')) return true
  for (let at = error; at instanceof Error; at = at.cause) {
    if (marked.has(at)) return true
    if (saysEnded(at)) return true
    const { syscall } = at as Error & { syscall?: unknown }
    if (syscall === 'connect' || syscall === 'getaddrinfo') return true
    // The driver tried several addresses.
    if (at instanceof AggregateError) return at.errors.length > 0 && at.errors.every(isNeverSent)
  }
  return false
}

/** Whether the error means that the pool was ended, after which nothing can be sent. */
export function isPoolEnded(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (saysEnded(at)) return true
  return false
}

function saysEnded(error: Error & { readonly code?: unknown }): boolean {
  return error.code === POSTGRES_JS_ENDED || POOL_ENDED.test(error.message)
}

/** Marks an error of ours, so that `isNeverSent` recognises it. */
export function neverSent<E extends Error>(error: E): E {
  marked.add(error)
  return error
}

const marked = new WeakSet<Error>()

/** Too many connections; starting up or shutting down; not signed in; no such database. */
const NOT_LET_IN = new Set(['53300', '57P03', '28000', '28P01', '3D000'])

/**
 * The errors of an ended pool: of pg-pool, which TypeORM and Drizzle use too, of Knex, of Kysely,
 * of Sequelize, and of Slonik.
 */
const POOL_ENDED =
  /^Cannot use a pool after calling end on the pool|^Unable to acquire a connection$|^driver has already been destroyed$|^ConnectionManager\.getConnection was called after the connection manager was closed|^Connection pool (is being terminated|has ended|is being shut down|has been shut down)\./
const POSTGRES_JS_ENDED = 'CONNECTION_ENDED'
