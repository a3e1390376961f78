import type { EventLog } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { redisLog } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { limits } from '../limits.ts'
import type { DatabaseAddress } from '../programs/server-options.ts'
import { CONSUMER_TRANSACTIONS } from './consumed.ts'
import type { EventStoreName } from './options.ts'

/** A log of this process, and its pool if it is on Postgres. */
export interface OpenLog {
  readonly log: EventLog<PoolClient>
  readonly pool: Pool | undefined
  /** Only for a log in Redis. */
  readonly redis: Redis | undefined
  close(): Promise<void>
}

export function openLog(store: EventStoreName, address: DatabaseAddress): OpenLog {
  if (store === 'redis' || store === 'redis-sentinel') {
    const client = 'url' in address ? new Redis(address.url, CONNECTING) : sentinel(address)
    client.on('error', () => {})
    const log = redisLog({ client, commandTimeoutMs: limits.commandTimeoutMs })
    return {
      log: log as EventLog<never> as EventLog<PoolClient>,
      pool: undefined,
      redis: client,
      close: async () => client.disconnect(),
    }
  }
  if (!('url' in address)) throw new Error(`There is no ${store} behind sentinels.`)
  const pool = new Pool({
    connectionString: address.url,
    max: 14,
    connectionTimeoutMillis: limits.acquireTimeoutMs,
  })
  // Listens for errors of idle connections. An error that ends a running query also rejects that
  // query.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return {
    log: postgresLog({
      client: pool,
      timeoutMs: limits.logTimeoutMs,
      maxTransactions: CONSUMER_TRANSACTIONS + 1,
    }),
    pool,
    redis: undefined,
    close: () => pool.end(),
  }
}

function sentinel(address: Exclude<DatabaseAddress, { readonly url: string }>): Redis {
  const { sentinels, name, natMap } = address
  return new Redis({ sentinels, name, natMap, ...CONNECTING })
}

const CONNECTING = {
  maxRetriesPerRequest: 1,
  retryStrategy: () => 100,
  commandTimeout: limits.commandTimeoutMs,
  connectTimeout: limits.acquireTimeoutMs,
}
