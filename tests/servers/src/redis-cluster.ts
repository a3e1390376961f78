import { freePort } from './free-port.ts'
import { type RedisServer, startRedis } from './redis.ts'
import { waitFor } from './wait-for.ts'

/** Three primaries that share the slots, and a replica of each. */
export interface RedisCluster {
  primaries: RedisServer[]
  /** In the order of their primaries. */
  replicas: RedisServer[]
  stop(): Promise<void>
}

/** Starts a cluster of six servers, and waits until all of them agree that it is up. */
export async function startRedisCluster(
  settings: Record<string, string> = {},
): Promise<RedisCluster> {
  const nodes: Node[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map(({ server }) => server.stop()))
  }
  try {
    nodes.push(...(await Promise.all(Array.from({ length: 6 }, () => startNode(settings)))))
    const [primaries, replicas] = [nodes.slice(0, 3), nodes.slice(3)]
    await shareSlots(primaries)
    await introduce(nodes)
    await Promise.all(replicas.map((replica, index) => follow(replica, primaries[index])))
    await waitFor(() => allTrue(nodes, isUp), { what: 'the cluster to be up', timeoutMs: 30_000 })
    const serversOf = (some: Node[]) => some.map(({ server }) => server)
    return { primaries: serversOf(primaries), replicas: serversOf(replicas), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Node {
  server: RedisServer
  id: string
  busPort: number
}

/**
 * Sets the port of the cluster bus explicitly: the default, 10,000 above the server's port, may be
 * taken.
 */
async function startNode(settings: Record<string, string>): Promise<Node> {
  const busPort = await freePort()
  const server = await startRedis({
    settings: {
      'cluster-enabled': 'yes',
      'cluster-port': `${busPort}`,
      'cluster-node-timeout': '1500',
      ...settings,
    },
  })
  return { server, busPort, id: await server.cli('cluster', 'myid') }
}

const SLOTS = 16_384

async function shareSlots(primaries: Node[]): Promise<void> {
  const firstOf = (index: number) => Math.floor((SLOTS * index) / primaries.length)
  for (const [index, { server }] of primaries.entries()) {
    const range = [`${firstOf(index)}`, `${firstOf(index + 1) - 1}`]
    await server.cli('cluster', 'addslotsrange', ...range)
    await server.cli('cluster', 'set-config-epoch', `${index + 1}`)
  }
}

async function introduce(nodes: Node[]): Promise<void> {
  const [first] = nodes
  for (const { server, busPort } of nodes.slice(1)) {
    await first?.server.cli('cluster', 'meet', '127.0.0.1', `${server.port}`, `${busPort}`)
  }
  const knowsAll = async ({ server }: Node): Promise<boolean> => {
    const known = await server.cli('cluster', 'nodes')
    return nodes.every(({ id }) => known.includes(id)) && !known.includes('handshake')
  }
  await waitFor(() => allTrue(nodes, knowsAll), { what: 'the nodes to know each other' })
}

async function follow(replica: Node, primary: Node | undefined): Promise<void> {
  await replica.server.cli('cluster', 'replicate', primary?.id ?? '')
}

async function isUp({ server }: Node): Promise<boolean> {
  const info = await server.cli('cluster', 'info')
  const replication = await server.cli('info', 'replication')
  const isLinked = replication.includes('role:slave')
    ? replication.includes('master_link_status:up')
    : replication.includes('connected_slaves:1')
  return info.includes('cluster_state:ok') && isLinked
}

async function allTrue(
  nodes: Node[],
  condition: (node: Node) => Promise<boolean>,
): Promise<boolean> {
  const answers = await Promise.all(nodes.map(condition))
  return answers.every(Boolean)
}
