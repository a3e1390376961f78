import { type RedisServer, startRedis } from './redis.ts'
import { waitFor } from './wait-for.ts'

/** A primary, its replicas, and three sentinels that watch them. */
export interface SentinelGroup {
  primary: RedisServer
  replicas: RedisServer[]
  sentinels: RedisServer[]
  /** By which sentinels know the primary, whoever it is. */
  name: string
  /** The port of whom the sentinels take for the primary now. */
  primaryPort(): Promise<number>
  stop(): Promise<void>
}

/** Starts them and waits until the sentinels know of the replicas and of each other. */
export async function startSentinelGroup(
  options: { replicas?: number; settings?: Record<string, string> } = {},
): Promise<SentinelGroup> {
  const { replicas: count = 1, settings = {} } = options
  const servers: RedisServer[] = []
  const start = async (...args: Parameters<typeof startRedis>): Promise<RedisServer> => {
    const server = await startRedis(...args)
    servers.push(server)
    return server
  }
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
  }
  try {
    const primary = await start({ settings })
    const replicas = await startReplicas(primary, count, (of) =>
      start({ settings: { ...settings, ...of } }),
    )
    const sentinels = await Promise.all(
      Array.from({ length: 3 }, () => start({ role: 'sentinel', settings: watching(primary) })),
    )
    await waitFor(() => allKnow(sentinels, count), { what: 'the sentinels to know each other' })
    const primaryPort = async (): Promise<number> => {
      const [, port] = (await askAny(sentinels, 'get-master-addr-by-name', NAME)).split('\n')
      return Number(port)
    }
    return { primary, replicas, sentinels, name: NAME, primaryPort, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Starts a primary's replicas and waits until they have its data. */
export async function startReplicas(
  primary: RedisServer,
  count: number,
  start: (settings: Record<string, string>) => Promise<RedisServer> = (settings) =>
    startRedis({ settings }),
): Promise<RedisServer[]> {
  const settings = { replicaof: `127.0.0.1 ${primary.port}`, 'repl-diskless-sync-delay': '0' }
  const replicas = await Promise.all(Array.from({ length: count }, () => start(settings)))
  for (const replica of replicas) {
    await waitFor(
      async () => (await replica.cli('info', 'replication')).includes('master_link_status:up'),
      { what: 'the replica to have the data', timeoutMs: 30_000 },
    )
  }
  return replicas
}

const NAME = 'oncekey'

/** Quick to notice, for a test waits for it. */
function watching(primary: RedisServer): Record<string, string> {
  return {
    'sentinel monitor': `${NAME} 127.0.0.1 ${primary.port} 2`,
    'sentinel down-after-milliseconds': `${NAME} 500`,
    'sentinel failover-timeout': `${NAME} 3000`,
  }
}

async function allKnow(sentinels: RedisServer[], replicas: number): Promise<boolean> {
  const answers = await Promise.all(
    sentinels.map((sentinel) => sentinel.cli('sentinel', 'master', NAME)),
  )
  return answers.every((answer) => {
    const lines = answer.split('\n')
    const numberOf = (field: string) => Number(lines[lines.indexOf(field) + 1])
    return numberOf('num-slaves') === replicas && numberOf('num-other-sentinels') === 2
  })
}

async function askAny(sentinels: RedisServer[], ...args: string[]): Promise<string> {
  return Promise.any(sentinels.map((sentinel) => sentinel.cli('sentinel', ...args)))
}
