import { setTimeout as sleep } from 'node:timers/promises'
import {
  type RedisServer,
  type SentinelGroup,
  startSentinelGroup,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import type { CampaignOptions } from '../options.ts'
import type { Random } from '../random.ts'
import type { Database } from './database.ts'
import { described, passingFaults, redisSettings } from './redis.ts'
import { redisBooks } from './redis-books.ts'

/**
 * A primary with two replicas, and three sentinels. Servers of the shop reach each of the three
 * Redis servers through their own proxies. The Redis servers reach each other, and the sentinels
 * reach them, through other proxies, so that a primary can be cut off from its replacements while
 * clients still write to it.
 */
export async function startSentinelDatabase(
  options: Pick<CampaignOptions, 'durable' | 'minReplicas' | 'replicas'>,
): Promise<Database> {
  const { durable, minReplicas, replicas } = options
  const settings = {
    ...redisSettings(durable),
    'min-replicas-to-write': `${minReplicas}`,
    'min-replicas-max-lag': '2',
  }
  const group = await startSentinelGroup({ replicas: 2, settings, behindProxies: true })
  const members = [group.primary, ...group.replicas]
  await Promise.all(group.sentinels.map(lookOften))
  await setDownAfter(group, DOWN_AFTER_MS)

  return {
    ports: members.map(({ port }) => port),
    reachedBy: (ports) => ({
      sentinels: group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
      name: group.name,
      natMap: Object.fromEntries(
        members.map((member, index) => [
          `127.0.0.1:${wireOf(group, member).port}`,
          { host: '127.0.0.1', port: ports[index] as number },
        ]),
      ),
      replicas,
    }),
    completion: /evalsha/i,
    settings: `${described(settings)}; completions wait for ${replicas} of 2 replicas`,
    mayLose: false,
    faults: { ...failoverFaults(group), ...passingFaults(() => whole(group)) },
    ...redisBooks(async () => (await whole(group)).url),
    async whole() {
      await whole(group)
      // While the books are read, sentinels must not replace a primary only because the machine is
      // busy.
      await setDownAfter(group, 60_000)
    },
    stop: group.stop,
  }
}

/**
 * Each fault waits for a complete group before it begins. A fault that removes the primary lasts
 * until another primary is chosen.
 */
function failoverFaults(group: SentinelGroup): Database['faults'] {
  const anyReplica = async (random: Random): Promise<RedisServer> => {
    const primary = await whole(group)
    return random.oneOf([group.primary, ...group.replicas].filter((one) => one !== primary))
  }
  return {
    // It comes back as a primary, and then learns that it is a replica.
    async 'primary killed'(random) {
      const primary = await whole(group)
      await primary.crash()
      await replaced(group, primary)
      await sleep(random.between(0, 500))
      await primary.restart()
    },

    // The primary may be back before any sentinel has noticed its end, or in the middle of an
    // election.
    async 'primary restarted'(random) {
      const primary = await whole(group)
      await primary.crash()
      await sleep(random.between(0, 1_500))
      await primary.restart()
    },

    // The paused server continues as a primary, with its client connections and what was sent on
    // them meanwhile.
    async 'primary paused'(random) {
      const primary = await whole(group)
      primary.pause()
      await replaced(group, primary)
      await sleep(random.between(0, 500))
      primary.resume()
    },

    // Two primaries at once: clients still reach the old one.
    async 'primary cut off'(random) {
      const primary = await whole(group)
      const wire = wireOf(group, primary)
      wire.stall()
      await replaced(group, primary)
      await sleep(random.between(0, 3_000))
      wire.resume()
    },

    async 'primary replaced by command'(random) {
      const primary = await whole(group)
      const sentinel = random.oneOf(group.sentinels)
      await waitFor(async () => (await sentinel.cli('sentinel', 'failover', group.name)) === 'OK', {
        what: 'the sentinel to begin a failover',
        timeoutMs: 30_000,
        intervalMs: 100,
      })
      await replaced(group, primary)
    },

    async 'replica killed'(random) {
      const replica = await anyReplica(random)
      await replica.crash()
      await sleep(random.between(0, 1_500))
      await replica.restart()
    },

    async 'replica paused'(random) {
      const replica = await anyReplica(random)
      replica.pause()
      await sleep(random.between(200, 2_500))
      replica.resume()
    },

    async 'sentinel killed'(random) {
      const sentinel = random.oneOf(group.sentinels)
      await sentinel.crash()
      await sleep(random.between(0, 2_000))
      await sentinel.restart()
      await lookOften(sentinel)
    },
  }
}

/** Waits until all sentinels name the same primary and it has both replicas. Returns it. */
function whole(group: SentinelGroup): Promise<RedisServer> {
  return waitFor(
    async () => {
      const primary = await agreedPrimary(group)
      if (primary === undefined) return undefined
      const state = await primary.cli('info', 'replication')
      const online = state.match(/state=online/g)?.length
      return state.includes('role:master') && online === group.replicas.length && primary
    },
    { what: 'a primary with all its replicas', timeoutMs: 90_000, intervalMs: 100 },
  )
}

/** Waits until another server is the primary. */
async function replaced(group: SentinelGroup, primary: RedisServer): Promise<void> {
  await waitFor(
    async () => {
      const now = await agreedPrimary(group)
      return now !== undefined && now !== primary
    },
    { what: 'a failover', timeoutMs: 90_000, intervalMs: 50 },
  )
}

async function agreedPrimary(group: SentinelGroup): Promise<RedisServer | undefined> {
  const ports = await Promise.all(
    group.sentinels.map((sentinel) =>
      sentinel.cli('sentinel', 'get-master-addr-by-name', group.name),
    ),
  )
  if (new Set(ports).size !== 1) return undefined
  const port = Number(ports[0]?.split('\n')[1])
  return [...group.wires].find(([, wire]) => wire.port === port)?.[0]
}

function wireOf({ wires }: SentinelGroup, server: RedisServer): TcpProxy {
  return wires.get(server) as TcpProxy
}

async function setDownAfter({ sentinels, name }: SentinelGroup, ms: number): Promise<void> {
  for (const { cli } of sentinels) {
    await cli('sentinel', 'set', name, 'down-after-milliseconds', `${ms}`)
  }
}

/** How long a primary must be silent before it is replaced. */
const DOWN_AFTER_MS = 1_500

/**
 * By default a sentinel checks roles every ten seconds and tells the others every two. So a primary
 * that returns would remain a primary for more than ten seconds, and campaigns would spend most of
 * their time waiting for that.
 */
async function lookOften(sentinel: RedisServer): Promise<void> {
  await sentinel.cli('sentinel', 'debug', 'info-period', '1000', 'publish-period', '500')
}
