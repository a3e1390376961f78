/**
 * Whether an error is a driver's own timeout, such as `query_timeout` of `pg`. The server is not
 * told, and continues the statement.
 */
export function isDriverTimeout(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.message === 'Query read timeout') return true
  }
  return false
}

/** Whether a pool gave up waiting for a client, by its own timeout: pg-pool, Knex, Sequelize. */
export function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && POOL_TIMEOUT.test(error.message)
}

const POOL_TIMEOUT =
  /timeout exceeded when trying to connect|Timeout acquiring a connection|^Operation timeout$/
