import { Redis } from 'ioredis'
import { Pool } from 'pg'

/**
 * Finds the connections that a snippet opens and keeps to itself, such as the pool of each tenant,
 * so that they can be closed before their server is gone. The function that it returns closes them.
 */
export function watchConnections(ofReader: Pool): () => Promise<void> {
  const pools = new Set<Pool>()
  const clients = new Set<Redis>()
  const { connect } = Pool.prototype
  const { duplicate } = Redis.prototype
  Pool.prototype.connect = function (this: Pool, ...of: unknown[]) {
    if (this !== ofReader && !pools.has(this)) {
      pools.add(this)
      this.on('error', (error) => {
        // `end()` resolves before its sockets are closed, and the database is dropped beneath them.
        if (!this.ending) throw error
      })
    }
    return Reflect.apply(connect, this, of)
  } as typeof connect
  Redis.prototype.duplicate = function (this: Redis, ...of: Parameters<typeof duplicate>) {
    const made = duplicate.apply(this, of)
    clients.add(this).add(made)
    return made
  }
  return async () => {
    Object.assign(Pool.prototype, { connect })
    Object.assign(Redis.prototype, { duplicate })
    for (const pool of pools) if (!pool.ended) await pool.end()
    for (const client of clients) client.disconnect()
  }
}
