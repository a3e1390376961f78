import { type AppServer, startAppServer } from './app-server.ts'
import type { Database } from './databases/database.ts'
import { startPostgresDatabase } from './databases/postgres.ts'
import { startReplicatedDatabase } from './databases/postgres-standby.ts'
import { startRedisDatabase } from './databases/redis.ts'
import { startSentinelDatabase } from './databases/redis-sentinel.ts'
import { type Gateway, startGateway } from './gateway.ts'
import type { CampaignOptions } from './options.ts'

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
    for (const { name, adapter, pipeline } of SERVERS) {
      const server = await startAppServer(name, database, {
        adapter,
        pipeline,
        store,
        broken,
        gatewayUrl: gateway.url,
      })
      stops.push(server.stop)
      servers.push(server)
    }
    return { database, gateway, servers, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function startDatabase(options: CampaignOptions): Promise<Database> {
  if (options.store === 'redis') return startRedisDatabase(options)
  if (options.store === 'redis-sentinel') return startSentinelDatabase(options)
  if (options.store === 'postgres-standby-async' || options.store === 'postgres-standby-sync') {
    return startReplicatedDatabase(options.store === 'postgres-standby-sync')
  }
  return startPostgresDatabase()
}

const SERVERS = [
  { name: 'express', adapter: 'express', pipeline: false },
  { name: 'fastify', adapter: 'fastify', pipeline: false },
  { name: 'express, pipelining', adapter: 'express', pipeline: true },
] as const
