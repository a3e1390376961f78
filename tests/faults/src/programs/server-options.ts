import type { Store } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { limits } from '../limits.ts'
import type { StoreName } from '../options.ts'
import { type Broken, brokenStore } from './broken-store.ts'

/** What a server's process is started with, as JSON in its first argument. */
export interface ServerOptions {
  readonly adapter: 'express' | 'fastify'
  readonly store: StoreName
  readonly broken: Broken | undefined
  readonly databaseUrl: string
  readonly gatewayUrl: string
  readonly port: number
  readonly pipeline: boolean
}

/** A store of this process, and what it has borrowed and not given back. */
export interface ServerStore {
  readonly store: Store<PoolClient>
  leftOver(): number
}

export async function serverStore(options: ServerOptions): Promise<ServerStore> {
  if (options.store === 'redis') return redis(options)
  const pool = new Pool({
    connectionString: options.databaseUrl,
    max: 10,
    connectionTimeoutMillis: limits.acquireTimeoutMs,
    pipeline: options.pipeline,
  })
  // The query under way is told as well.
  pool.on('error', () => {})
  const { acquireTimeoutMs, commitTimeoutMs } = limits
  const store = postgresStore({
    client: pool,
    acquireTimeoutMs,
    commitTimeoutMs,
    ...(options.store === 'postgres-lease' && { mode: 'lease' as const }),
  })
  return {
    store: options.broken === undefined ? store : await brokenStore(options.broken, store, pool),
    leftOver: () => pool.totalCount - pool.idleCount + pool.waitingCount,
  }
}

function redis({ databaseUrl }: ServerOptions): ServerStore {
  const client = new Redis(databaseUrl, {
    maxRetriesPerRequest: 1,
    retryStrategy: () => 100,
    commandTimeout: limits.commandTimeoutMs,
    connectTimeout: limits.acquireTimeoutMs,
  })
  client.on('error', () => {})
  const store = redisStore({ client, commandTimeoutMs: limits.commandTimeoutMs })
  return { store: store as Store<never> as Store<PoolClient>, leftOver: () => 0 }
}
