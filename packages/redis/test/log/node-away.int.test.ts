import type { LoggedEvent } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type RedisCluster, startRedisCluster, waitFor } from '@oncekey/test-servers'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventOf } from '../servers/claims.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startRedisCluster({
    appendonly: 'yes',
    appendfsync: 'always',
    'cluster-require-full-coverage': 'no',
  })
}, 240_000)
afterAll(() => cluster.stop())

// A bug: all slots were asked in one call, so a single node that was away stopped all of them.
test('a cluster node that is away stops only the delivery of its own slots', async () => {
  const nodes = cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))
  const client = new Cluster(nodes, { retryDelayOnClusterDown: 0 })
  client.on('error', () => {})
  const log = redisLog({ client, commandTimeoutMs: 2_000 })
  const consumer = 'shipping'
  const request = { consumer, relay: 'r', types: null, leaseMs: 600_000 }
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  await log.want(request)
  const first = await log.lease({ ...request, holding: [] })
  expect(first.taken).toHaveLength(64)
  const events = Array.from({ length: 300 }, (_, at) => eventOf({ orderingKey: `k${at}` }))
  for (const event of events) await log.append([event])

  const held = new Map(first.taken.map((slot) => [slot.slot, slot]))
  const read: LoggedEvent[] = []
  const readAll = async (): Promise<void> => {
    const slots = [...held.values()].map(({ slot, position }) => ({ slot, position }))
    const page = await log.read({ consumer, types: null, slots, limit: 1_000 })
    read.push(...page.events)
    const moves = page.next.map(({ slot, position }) => {
      const { epoch } = held.get(slot) as (typeof first.taken)[number]
      return { slot, epoch, position, calm: true, failed: [] }
    })
    const { lost } = await log.advance({ consumer, slots: moves })
    for (const { slot, position } of moves) {
      const each = held.get(slot)
      if (each !== undefined) held.set(slot, { ...each, position })
    }
    for (const slot of lost) held.delete(slot)
  }

  await cluster.replicas[1]?.crash()
  await cluster.primaries[1]?.crash()
  const there = await waitFor(
    async () => {
      await readAll()
      return read.length > 100 && read.length
    },
    { what: 'the events of the others', timeoutMs: 30_000 },
  )
  expect(there).toBeLessThan(300)

  await log.want(request)
  const holding = [...held.values()].map(({ slot, epoch }) => ({ slot, epoch }))
  const during = await log.lease({ ...request, holding })
  expect(during.taken).toEqual([])
  expect(during.lost.length).toBeGreaterThan(10)
  expect(during.lost.length).toBeLessThan(40)
  for (const slot of during.lost) held.delete(slot)
  await log.maintain()
  await expect(log.lag(consumer)).rejects.toMatchObject({ code: 'store-unavailable' })

  await cluster.primaries[1]?.restart()
  await waitFor(
    async () => {
      const asked = [...held.values()].map(({ slot, epoch }) => ({ slot, epoch }))
      const { taken } = await log.lease({ ...request, holding: asked }).catch(() => ({ taken: [] }))
      for (const slot of taken) held.set(slot.slot, slot)
      return held.size === 64
    },
    { what: 'all slots to be taken again', timeoutMs: 60_000 },
  )
  await waitFor(
    async () => {
      await readAll()
      return new Set(read.map(({ id }) => id)).size === 300
    },
    { what: 'all events', timeoutMs: 30_000 },
  )
  expect((await log.lag(consumer)).events).toBe(0)
  client.disconnect()
}, 300_000)

// A bug: the refusal of one node failed the whole round, so no relay delivered the events of any
// node, and all leases ran out.
test.each([
  ['has lost its replicas', ['min-replicas-to-write', '5'], ['min-replicas-to-write', '0']],
])('a cluster node that %s stops only the delivery of its own slots', async (_, spoil, mend) => {
  const nodes = cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))
  const client = new Cluster(nodes)
  client.on('error', () => {})
  const log = redisLog({ client })
  const consumer = 'invoices'
  const request = { consumer, relay: 'r', types: null, leaseMs: 600_000 }
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  await log.want(request)
  const { taken } = await log.lease({ ...request, holding: [] })
  expect(taken).toHaveLength(64)
  // One failed event in each slot, which is due again.
  const verdict = { kind: 'retrying', delayMs: 0 } as const
  await log.advance({
    consumer,
    slots: taken.map(({ slot, epoch, position }) => ({
      slot,
      epoch,
      position,
      calm: true,
      failed: [{ event: loggedIn(slot), verdict, attempt }],
    })),
  })
  const one = cluster.primaries[0]
  try {
    await one?.cli('config', 'set', ...spoil)
    const slots = taken.map(({ slot, epoch }) => ({ slot, epoch }))
    const due = await log.takeDue({ consumer, slots, except: [], limit: 100 })
    expect(due.deliveries.length).toBeGreaterThan(100 / 4)
    expect(due.deliveries.length).toBeLessThan(64)
    expect(due.nextInMs).toBeNull()
    const during = await log.lease({ ...request, holding: taken })
    expect(during.lost.length).toBeGreaterThan(10)
    expect(during.lost.length).toBeLessThan(40)
    const { lost } = await log.advance({
      consumer,
      slots: taken.map(({ slot, epoch, position }) => ({
        slot,
        epoch,
        position,
        calm: true,
        failed: [],
      })),
    })
    expect([...lost].sort()).toEqual([...during.lost].sort())
  } finally {
    await one?.cli('config', 'set', ...mend)
    client.disconnect()
  }
})

const attempt = {
  startedAtMs: 1,
  durationMs: 1,
  error: { name: 'Error', message: 'no', code: null, stack: null, fingerprint: 'no' },
}

function loggedIn(slot: number): LoggedEvent {
  const { occurredAt, headers, ...event } = eventOf()
  return { ...event, slot, position: '1-1', headers: '{}', occurredAtMs: occurredAt.getTime() }
}
