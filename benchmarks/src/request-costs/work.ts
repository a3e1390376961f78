import type { Store } from '@oncekey/core'
import { memoryStore } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { type ClientBase, Pool } from 'pg'
import { insertOrder, type Order, type PlacedOrder } from '../contenders/order.ts'

export type StoreName = 'memory' | 'Postgres' | 'Redis'

/** The work of a handler, with Oncekey and without. */
export interface Work {
  /** `undefined` for the bare handler. */
  readonly store: Store<unknown> | undefined
  /** Places an order; `transaction` is that of the run, and `undefined` for the bare handler. */
  place(order: Order, transaction?: () => Promise<unknown>): Promise<PlacedOrder> | PlacedOrder
}

/** The server that a store is on; a memory store uses none of it. */
export interface StoreServer {
  readonly url: string
  /** The size of the pool on Postgres. */
  readonly connections: number
}

/** On Postgres a handler inserts a row in a transaction; on the other stores it writes nothing. */
export function workOn(name: StoreName, isBare: boolean, server: StoreServer): Work {
  if (name === 'Postgres') return onPostgres(isBare, server)
  const place = ({ customer, item, cents }: Order): PlacedOrder => ({
    id: 'order-1',
    customer,
    item,
    cents,
    state: 'placed',
  })
  if (isBare) return { store: undefined, place }
  const store =
    name === 'memory'
      ? memoryStore({ maxRecords: 10_000_000 })
      : redisStore({ client: new Redis(server.url) })
  return { store: store as Store<unknown>, place }
}

function onPostgres(isBare: boolean, { url, connections }: StoreServer): Work {
  // Connections stay open between rounds, so that no round starts with opening them.
  const pool = new Pool({ connectionString: url, max: connections, idleTimeoutMillis: 0 })
  if (!isBare) {
    return {
      store: postgresStore<ClientBase>({ client: pool }) as Store<unknown>,
      place: async (order, transaction) =>
        insertOrder((await transaction?.()) as ClientBase, order),
    }
  }
  return {
    store: undefined,
    async place(order) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const placed = await insertOrder(client, order)
        await client.query('COMMIT')
        return placed
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      } finally {
        client.release()
      }
    },
  }
}
