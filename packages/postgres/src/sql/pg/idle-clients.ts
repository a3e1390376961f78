import { AsyncLocalStorage } from 'node:async_hooks'
import type { PgPool, PgPoolClient } from './pg-client.ts'
import { isIdle } from './transaction-status.ts'

/**
 * For a library that takes its clients from a Pool of `pg` by itself. In `work` the pool lends only
 * clients on which no transaction is open. Any other was released in the middle of a transaction,
 * which our statements would become part of; it is taken out of the pool.
 */
export function onIdleClients<T>(pool: object, work: () => Promise<T>): Promise<T> {
  checkClients(pool as PgPool<PgPoolClient>)
  return asking.run(pool, work)
}

const asking = new AsyncLocalStorage<object>()
const checked = new WeakSet<object>()

/** Makes `connect` of the pool check the clients that it lends in `work`, and no others. */
function checkClients(pool: PgPool<PgPoolClient>): void {
  if (checked.has(pool) || typeof pool.connect !== 'function') return
  checked.add(pool)
  const connect = pool.connect as (...args: unknown[]) => unknown
  const lend = async (): Promise<PgPoolClient> => {
    const client = (await connect.call(pool)) as PgPoolClient
    if (await isIdle(client)) return client
    client.release(new Error('The client was released to its pool with a transaction open.'))
    return lend()
  }
  Object.assign(pool, {
    connect(...args: unknown[]): unknown {
      const isOurs = asking.getStore() === pool && typeof args[0] !== 'function'
      return isOurs ? lend() : connect.apply(pool, args)
    },
  })
}
