import type { HandlerContext, Store } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { brokenStore } from '../../../faults/src/programs/broken-store.ts'
import { NEVER_MS, type ServerOptions } from './server-options.ts'

/** The store of this process, and how handlers write. */
export interface OpenStore {
  readonly store: Store
  /** Writes in the transaction, if there is one and the request uses it. */
  write(context: HandlerContext, row: Effect, outside: boolean): Promise<void>
}

export interface Effect {
  readonly order: string
  readonly receipt: string
  readonly step: string
}

export async function openStore(options: ServerOptions): Promise<OpenStore> {
  return options.store === 'redis' ? onRedis(options) : await onPostgres(options)
}

async function onPostgres(options: ServerOptions): Promise<OpenStore> {
  const { broken, databaseUrl, store, stops } = options
  const pool = new Pool({
    connectionString: databaseUrl,
    max: 50,
    application_name: stops ? 'the dead' : 'the heir',
  })
  pool.on('error', () => {})
  const sound = postgresStore({
    client: pool,
    mode: store === 'postgres-lease' ? 'lease' : 'transaction',
    maxConcurrent: 40,
    acquireTimeoutMs: NEVER_MS,
    commitTimeoutMs: NEVER_MS,
  })
  return {
    store: (broken === undefined ? sound : await brokenStore(broken, sound, pool)) as Store,
    async write(context, { order, receipt, step }, outside) {
      const tx = outside ? pool : ((await context.transaction()) as PoolClient)
      await tx.query('insert into effects values ($1, $2, $3)', [order, receipt, step])
    },
  }
}

/** Handlers have no transaction on Redis, so nothing is promised about their writes. */
function onRedis({ databaseUrl, outsideUrl, stops }: ServerOptions): OpenStore {
  const outside = connected(outsideUrl)
  const open = (): Store =>
    redisStore({ client: connected(databaseUrl), commandTimeoutMs: NEVER_MS }) as Store
  const shared = open()
  // One connection for each stopped request, so that what is held on one does not hold up another.
  const begin: Store['begin'] = (claim) => (stops ? open() : shared).begin(claim)
  return {
    store: { ...shared, begin },
    async write(_, { order, receipt, step }) {
      await outside.rpush(`effects:${order}`, `${receipt} ${step}`)
    },
  }
}

function connected(url: string): Redis {
  const client = new Redis(url)
  client.on('error', () => {})
  return client
}
