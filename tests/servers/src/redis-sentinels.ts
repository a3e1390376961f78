import { type RedisServer, startRedis } from './redis.ts'
import { startProxy, type TcpProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'

/** A primary, its replicas, and three sentinels that watch them. */
export interface SentinelGroup {
  primary: RedisServer
  replicas: RedisServer[]
  sentinels: RedisServer[]
  /** The name under which sentinels give the address of the primary. */
  name: string
  /**
   * With `behindProxies`, the proxy of each server. Each server announces its proxy's address, so
   * the other servers and the sentinels reach it through the proxy; clients use the server's own
   * port.
   */
  wires: ReadonlyMap<RedisServer, TcpProxy>
  /** The port of the server that the sentinels take for the primary now, or of its proxy. */
  primaryPort(): Promise<number>
  stop(): Promise<void>
}

export interface SentinelGroupOptions {
  /** @default 1 */
  replicas?: number
  settings?: Record<string, string>
  /** @default false */
  behindProxies?: boolean
}

/** Starts them, and waits until the sentinels know the replicas and each other. */
export async function startSentinelGroup(
  options: SentinelGroupOptions = {},
): Promise<SentinelGroup> {
  const { replicas: count = 1, settings = {}, behindProxies = false } = options
  const servers: RedisServer[] = []
  const wires = new Map<RedisServer, TcpProxy>()
  const start = async (...args: Parameters<typeof startRedis>): Promise<RedisServer> => {
    const server = await startRedis(...args)
    servers.push(server)
    return server
  }
  const startMember = async (): Promise<RedisServer> => {
    const server = await start({ settings: { 'repl-diskless-sync-delay': '0', ...settings } })
    if (behindProxies) wires.set(server, await announceProxy(server))
    return server
  }
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await Promise.all([...wires.values()].map((wire) => wire.stop()))
  }
  try {
    const primary = await startMember()
    const port = wires.get(primary)?.port ?? primary.port
    const replicas = await Promise.all(Array.from({ length: count }, startMember))
    await Promise.all(replicas.map((replica) => follow(replica, port)))
    const sentinels = await Promise.all(
      Array.from({ length: 3 }, () => start({ role: 'sentinel', settings: watching(port) })),
    )
    await waitFor(() => allKnow(sentinels, count), {
      what: 'the sentinels to know each other',
      timeoutMs: 30_000,
    })
    const primaryPort = async (): Promise<number> => {
      const [, port] = (await askAny(sentinels, 'get-master-addr-by-name', NAME)).split('\n')
      return Number(port)
    }
    return { primary, replicas, sentinels, name: NAME, wires, primaryPort, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The address is written to the server's settings as well, so that a restart keeps it. */
async function announceProxy(server: RedisServer): Promise<TcpProxy> {
  const proxy = await startProxy(server.port)
  const { port } = proxy
  await server.cli('config', 'set', 'replica-announce-ip', HOST, 'replica-announce-port', `${port}`)
  await server.cli('config', 'rewrite')
  return proxy
}

/** Starts a primary's replicas, and waits until they have its data. */
export async function startReplicas(
  primary: RedisServer,
  count: number,
  start: (settings: Record<string, string>) => Promise<RedisServer> = (settings) =>
    startRedis({ settings }),
): Promise<RedisServer[]> {
  const settings = { replicaof: `${HOST} ${primary.port}`, 'repl-diskless-sync-delay': '0' }
  const replicas = await Promise.all(Array.from({ length: count }, () => start(settings)))
  await Promise.all(replicas.map(haveData))
  return replicas
}

async function follow(replica: RedisServer, port: number): Promise<void> {
  await replica.cli('replicaof', HOST, `${port}`)
  await replica.cli('config', 'rewrite')
  await haveData(replica)
}

async function haveData(replica: RedisServer): Promise<void> {
  await waitFor(
    async () => (await replica.cli('info', 'replication')).includes('master_link_status:up'),
    { what: 'the replica to have the data', timeoutMs: 30_000 },
  )
}

const NAME = 'oncekey'
const HOST = '127.0.0.1'

/** The settings of a sentinel, with short timeouts, because tests wait for them. */
function watching(port: number): Record<string, string> {
  return {
    'sentinel monitor': `${NAME} ${HOST} ${port} 2`,
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
