import { type AppServer, startAppServer } from './app-server.ts'
import type { Database } from './databases/database.ts'
import { startPostgresDatabase } from './databases/postgres.ts'
import { type OnRecord, startReplicatedDatabase } from './databases/postgres-standby.ts'
import { startRedisDatabase } from './databases/redis.ts'
import { startSentinelDatabase } from './databases/redis-sentinel.ts'
import { type Gateway, startGateway } from './gateway.ts'
import type { Adapter, CampaignOptions, RedisPackage } from './options.ts'

/** Everything that runs: one database, one gateway, several servers. */
export interface Stage {
  readonly database: Database
  readonly gateway: Gateway
  readonly servers: readonly AppServer[]
  stop(): Promise<void>
}

export async function setStage(options: CampaignOptions): Promise<Stage> {
  const { store, broken } = options
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const stop of stops.reverse()) await stop()
  }
  try {
    const database = await startDatabase(options)
    stops.push(database.stop)
    const gateway = await startGateway()
    stops.push(gateway.stop)
    const servers: AppServer[] = []
    for (const adapter of options.adapters) {
      const { name, pipeline = false, behindProxy = false, redis } = SERVERS[adapter]
      const rest = { adapter, pipeline, redis, store, broken, gatewayUrl: gateway.url }
      const server = await startAppServer({ name, behindProxy }, database, rest)
      stops.push(server.stop)
      servers.push(server)
    }
    return { database, gateway, servers, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

export interface DatabaseNeeds {
  /** The data that a failover may lose besides answers. */
  readonly onRecord?: OnRecord
  /** The folder of a Postgres with all of its programs, such as `pg_dump`. */
  readonly binDir?: string | undefined
}

export function startDatabase(
  options: Pick<CampaignOptions, 'store' | 'durable' | 'replicas' | 'minReplicas'>,
  { onRecord, binDir }: DatabaseNeeds = {},
): Promise<Database> {
  if (options.store === 'redis') return startRedisDatabase(options)
  if (options.store === 'redis-sentinel') return startSentinelDatabase(options)
  if (options.store === 'postgres-standby-async' || options.store === 'postgres-standby-sync') {
    return startReplicatedDatabase(options.store === 'postgres-standby-sync', onRecord)
  }
  return startPostgresDatabase(binDir === undefined ? {} : { binDir })
}

interface ServerKind {
  readonly name: string
  readonly pipeline?: boolean
  readonly behindProxy?: boolean
  readonly redis: RedisPackage
}

const SERVERS: Record<Adapter, ServerKind> = {
  express: { name: 'express', redis: 'ioredis' },
  fastify: { name: 'fastify', redis: 'node-redis' },
  node: { name: 'node:http, pipelining', pipeline: true, redis: 'ioredis' },
  hono: { name: 'hono, behind a proxy', behindProxy: true, redis: 'node-redis' },
  koa: { name: 'koa', redis: 'node-redis' },
  'nestjs-express': { name: 'nestjs on express', redis: 'ioredis' },
  'nestjs-fastify': { name: 'nestjs on fastify', redis: 'node-redis' },
}
