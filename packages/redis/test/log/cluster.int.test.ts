import { randomUUID } from 'node:crypto'
import { logBehaviours, runLogBehaviour } from '@oncekey/conformance'
import type { LoggedEvent, OutboxEvent } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type RedisCluster, startRedisCluster } from '@oncekey/test-servers'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dropWhatIsOver, moveClock } from '../servers/log-clock.ts'

let cluster: RedisCluster
const readers: Redis[] = []
beforeAll(async () => {
  cluster = await startRedisCluster()
  readers.push(...cluster.primaries.map((each) => new Redis(each.url)))
}, 240_000)
afterAll(async () => {
  for (const reader of readers) reader.disconnect()
  await cluster.stop()
})

const nodes = () => cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))

const clients = [
  { name: 'ioredis 6', connect: () => new Cluster(nodes()), groups: undefined },
  {
    name: 'ioredis 5 with automatic pipelining',
    connect: () => new Cluster5(nodes(), { enableAutoPipelining: true, keyPrefix: 'app:' }),
    // The option changes what is sent and not what the scripts do, which the first run has tested.
    groups: ['reading', 'advancing'],
  },
]

for (const { name, connect, groups } of clients) {
  describe(`log contract: redis cluster, ${name}`, () => {
    for (const { title, behaviours } of logBehaviours()) {
      if (groups?.includes(title) === false) continue
      for (const behaviour of behaviours) {
        test(`${title}: ${behaviour.title}`, { timeout: 240_000 }, async ({ skip }) => {
          const connections = [connect(), connect()] as const
          const [one, two] = connections
          const skipped = await runLogBehaviour<never>(behaviour, () => ({
            log: redisLog({ client: one }),
            another: () => redisLog({ client: two }),
            advance: (ms) => moveClock(readers, ms),
            async close() {
              for (const connection of connections) connection.disconnect()
              await dropWhatIsOver(readers)
            },
          }))
          if (skipped !== undefined) skip(skipped)
        })
      }
    }
  })
}

test('keeps everything about a slot on the node of its stream, and spreads slots over all nodes', async () => {
  const client = new Cluster(nodes())
  const log = redisLog({ client })
  await log.subscribe({ consumer: 'spread', types: null, startAt: 'now' })
  const keys = await Promise.all(readers.map((reader) => reader.keys('oncekey:*:consumers')))
  for (const ofNode of keys) expect(ofNode.length).toBeGreaterThan(5)
  expect(new Set(keys.flat()).size).toBe(64)
  for (const orderingKey of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const occurredAt = new Date()
    await log.append([
      {
        id: randomUUID(),
        type: 'a',
        source: '/',
        subject: null,
        orderingKey,
        data: '1',
        headers: {},
        occurredAt,
      },
    ])
  }
  expect((await log.lag('spread')).events).toBe(6)
  client.disconnect()
})

describe('large events in a cluster', () => {
  const big = (at: number): OutboxEvent => ({
    id: randomUUID(),
    type: 'a',
    source: '/',
    subject: null,
    orderingKey: `large-${at}`,
    data: JSON.stringify('x'.repeat(at % 8 === 0 ? 900_000 : 100_000)),
    headers: {},
    occurredAt: new Date(),
  })
  const bytesOf = (events: readonly { data: string }[]): number =>
    events.reduce((sum, { data }) => sum + data.length, 0)
  const maxBytes = 1_048_576

  // A bug: each node got the limit of the whole page, and 64 answers came at once.
  test('share the bytes of a page, and of due deliveries, and all of them are delivered', async () => {
    for (const reader of readers) await reader.flushall()
    const client = new Cluster(nodes())
    const log = redisLog({ client, commandTimeoutMs: 20_000 })
    const given = Array.from({ length: 100 }, (_, at) => big(at))
    for (const each of given) await log.append([each])
    const consumer = 'large'
    await log.subscribe({ consumer, types: null, startAt: 'beginning' })
    const lease = { consumer, relay: 'r', leaseMs: 600_000, holding: [] }
    const { taken } = await log.lease(lease)
    expect(await log.lag(consumer)).toMatchObject({ events: 100 })

    const read: LoggedEvent[] = []
    let slots: readonly { slot: number; position: string }[] = taken
    for (let pages = 0; read.length < given.length; pages += 1) {
      expect(pages).toBeLessThan(100)
      const page = await log.read({ consumer, types: null, slots, limit: 500, maxBytes })
      expect(page.events.length).toBeGreaterThan(0)
      expect(bytesOf(page.events)).toBeLessThan(maxBytes + 1_000_000)
      read.push(...page.events)
      slots = page.next
    }
    expect(new Set(read.map(({ id }) => id))).toEqual(new Set(given.map(({ id }) => id)))

    const verdict = { kind: 'retrying', delayMs: 0 } as const
    await log.advance({
      consumer,
      slots: taken.map((held) => {
        const position = slots.find(({ slot }) => slot === held.slot)?.position ?? ''
        const ofSlot = read.filter(({ slot }) => slot === held.slot)
        const failed = ofSlot.map((event) => ({ event, verdict, attempt: null }))
        return { ...held, position, calm: false, failed }
      }),
    })
    const due: string[] = []
    while (due.length < given.length) {
      const request = { consumer, slots: taken, except: due, limit: 500, maxBytes }
      const { deliveries } = await log.takeDue(request)
      expect(deliveries.length).toBeGreaterThan(0)
      expect(bytesOf(deliveries.map(({ event }) => event))).toBeLessThan(maxBytes + 1_000_000)
      due.push(...deliveries.map(({ id }) => id))
    }
    expect(new Set(due).size).toBe(given.length)
    client.disconnect()
  }, 240_000)
})
