import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { memoryStore, type Store } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { postgresStore, purge } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import express from 'express'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { insertOrder, type Order } from '../contenders/order.ts'
import { answer } from '../verbs.ts'

const verbs = {
  /** Returns the port on which it takes orders; its records are forgotten after `retentionMs`. */
  async listen(kind: SoakStore, url: string, retentionMs: number): Promise<number> {
    const store = stores[kind](url, retentionMs) as Store<PoolClient>
    const { transactions } = store.capabilities
    const idempotent = idempotency({ store, scope: () => 'account-1' })
    const app = express()
    app.post('/orders', express.json(), idempotent, async (req, res) => {
      const order: Order = req.body
      const writes = transactions && kind !== 'memory'
      const placed = writes
        ? await insertOrder(await idempotent.of(req).transaction(), order)
        : { id: 'order-1', ...order, state: 'placed' }
      res.status(201).json(placed)
    })
    const server = app.listen(0, '127.0.0.1')
    // Connections stay open, so that the counts of handles do not vary with the load.
    server.keepAliveTimeout = 0
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  /** After a full garbage collection. */
  state(): SoakState {
    for (let times = 0; times < 2; times += 1) globalThis.gc?.()
    const { heapUsed, external, rss } = process.memoryUsage()
    return {
      heapBytes: heapUsed + external,
      rssBytes: rss,
      files: readdirSync('/proc/self/fd').length,
      // Timers come and go with requests; a leaked one shows on the heap.
      handles: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length,
    }
  },
}

const stores = {
  memory: (_, retentionMs) => memoryStore({ maxRecords: 10_000_000, ...forgetting(retentionMs) }),
  postgres: (url, retentionMs) => postgresStore({ client: purgedPool(url, retentionMs) }),
  'postgres-lease': (url, retentionMs) =>
    postgresStore({ client: purgedPool(url, retentionMs), mode: 'lease' }),
  redis: (url, retentionMs) => redisStore({ client: new Redis(url), ...forgetting(retentionMs) }),
} satisfies Record<SoakStore, (url: string, retentionMs: number) => unknown>

function forgetting(retentionMs: number) {
  return { resultRetentionMs: retentionMs, keyRetentionMs: retentionMs }
}

/** The purge runs in the serving process, as it does if there is no other. */
function purgedPool(connectionString: string, retentionMs: number): Pool {
  const pool = new Pool({ connectionString, max: 20, idleTimeoutMillis: 0 })
  let purging = false
  setInterval(async () => {
    if (purging) return
    purging = true
    const options = { ...forgetting(retentionMs), limit: 1_000 }
    while ((await purge(pool, options)).more);
    purging = false
  }, PURGE_EVERY_MS)
  return pool
}

const PURGE_EVERY_MS = 2_000

export type SoakStore = 'memory' | 'postgres' | 'postgres-lease' | 'redis'

export interface SoakState {
  readonly heapBytes: number
  readonly rssBytes: number
  /** File descriptors, including sockets. */
  readonly files: number
  /** Handles that keep the process running, except for timers. */
  readonly handles: number
}

export type SoakServer = typeof verbs

answer(verbs)
