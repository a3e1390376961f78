import type { Store } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { type RedisStoreOptions, redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { createClient } from 'redis'
import { limits } from '../limits.ts'
import type { Adapter, RedisPackage, StoreName } from '../options.ts'
import { type Broken, brokenStore } from './broken-store.ts'

/** The options of a server's process, as JSON in its first argument. */
export interface ServerOptions {
  readonly adapter: Adapter
  readonly store: StoreName
  readonly broken: Broken | undefined
  readonly database: DatabaseAddress
  readonly gatewayUrl: string
  readonly port: number
  readonly pipeline: boolean
  /** The client of a single Redis. */
  readonly redis: RedisPackage
}

export type DatabaseAddress = { readonly url: string } | SentinelAddress

/** How to reach the primary that the sentinels name. */
interface SentinelAddress {
  readonly sentinels: { readonly host: string; readonly port: number }[]
  readonly name: string
  /** The port to use for each address that the sentinels give. */
  readonly natMap: Record<string, { readonly host: string; readonly port: number }>
  /** How many replicas must have a completion (`WAIT`); 0 for none. */
  readonly replicas: number
}

/** A store of this process, and the connections that it has borrowed. */
export interface ServerStore {
  readonly store: Store<PoolClient>
  leftOver(): number
}

export async function serverStore(options: ServerOptions): Promise<ServerStore> {
  const { database } = options
  // With Sentinel every server uses ioredis, because completions wait for replicas, and for that
  // node-redis would need one connection.
  if (!('url' in database)) return onRedis(new Redis({ ...database, ...CONNECTING }), database)
  if (options.store === 'redis') return onRedis(await redisClients[options.redis](database.url))
  const pool = new Pool({
    connectionString: database.url,
    max: 10,
    connectionTimeoutMillis: limits.acquireTimeoutMs,
    pipeline: options.pipeline,
  })
  // Listens for errors of idle connections. An error that ends a running query also rejects that
  // query.
  pool.on('error', () => {})
  const { acquireTimeoutMs, commitTimeoutMs } = limits
  const store = postgresStore({
    client: pool,
    acquireTimeoutMs,
    commitTimeoutMs,
    ...(isLeased(options) && { mode: 'lease' as const }),
  })
  return {
    store: options.broken === undefined ? store : await brokenStore(options.broken, store, pool),
    leftOver: () => pool.totalCount - pool.idleCount + pool.waitingCount,
  }
}

/**
 * In a mixed shop one server uses lease mode. The others use transaction mode, on the same schema
 * and for the same keys.
 */
function isLeased({ store, adapter }: ServerOptions): boolean {
  return store === 'postgres-lease' || (store === 'postgres-mixed' && adapter === 'fastify')
}

const CONNECTING = {
  maxRetriesPerRequest: 1,
  retryStrategy: () => 100,
  commandTimeout: limits.commandTimeoutMs,
  connectTimeout: limits.acquireTimeoutMs,
}

const redisClients: Record<RedisPackage, (url: string) => Promise<Client>> = {
  ioredis: async (url) => new Redis(url, CONNECTING),

  async 'node-redis'(url) {
    const { acquireTimeoutMs, commandTimeoutMs } = limits
    const client = createClient({
      url,
      commandOptions: { timeout: commandTimeoutMs },
      socket: { reconnectStrategy: () => 100, connectTimeout: acquireTimeoutMs },
    })
    // A server starts also while Redis is away, and connects later.
    client.on('error', () => {})
    client.connect().catch(() => {})
    return client
  },
}

type Client = RedisStoreOptions['client'] & { on(event: 'error', listener: () => void): unknown }

function onRedis(client: Client, { replicas } = { replicas: 0 }): ServerStore {
  client.on('error', () => {})
  const { commandTimeoutMs, replicationTimeoutMs } = limits
  const store = redisStore({
    client,
    commandTimeoutMs,
    ...(replicas > 0 && { replicas: { count: replicas, timeoutMs: replicationTimeoutMs } }),
  })
  return { store: store as Store<never> as Store<PoolClient>, leftOver: () => 0 }
}
