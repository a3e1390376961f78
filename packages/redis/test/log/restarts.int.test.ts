import { outboxEvent, type TakenSlot } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

// A bug: the relay that asked first took the slots of all relays, and counted a vanished holder for
// each.
test('relays that live get their own slots back, however long Redis was away', async () => {
  const server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  const client = new Redis(server.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  const log = redisLog({ client })
  const LEASE_MS = 2_000
  const held = new Map<string, TakenSlot[]>()
  const lease = async (relay: string): Promise<readonly TakenSlot[]> => {
    const holding = held.get(relay) ?? []
    const request = { consumer: 'email', relay, leaseMs: LEASE_MS, holding }
    const { taken, lost } = await log.lease(request)
    held.set(relay, [...holding.filter(({ slot }) => !lost.includes(slot)), ...taken])
    return taken
  }
  const slotsOf = (relay: string) => new Set(held.get(relay)?.map(({ slot }) => slot))
  try {
    await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
    await lease('one')
    await lease('two')
    const slots = held.get('one')?.splice(32) ?? []
    await log.release({ consumer: 'email', relay: 'one', slots, leaving: false })
    await lease('two')
    const before = [slotsOf('one'), slotsOf('two')]
    const leasedUntil = performance.now() + LEASE_MS
    await server.crash()
    await waitFor(() => performance.now() > leasedUntil, { what: 'the leases to be over' })
    await server.restart()
    const taken = [...(await lease('two')), ...(await lease('one'))]
    expect(taken.map(({ crashes }) => crashes)).toEqual(Array(64).fill(0))
    expect([slotsOf('one'), slotsOf('two')]).toEqual(before)
  } finally {
    client.disconnect()
    await server.stop()
  }
}, 60_000)

// Each life of the server begins with the start that was counted in the life before.
test('a retry that ends while Redis restarts is no poison, however often that is', async () => {
  const server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  const client = new Redis(server.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  const log = redisLog({ client })
  const LOSSES = 6
  let losses = 0
  let isOver = false
  const relay = createRelay({
    log,
    minPollMs: 2,
    maxPollMs: 50,
    advanceEveryMs: 5,
    consumers: [
      consumer({
        name: 'email',
        backoff: () => 0,
        async handle({ attempt }) {
          if (attempt === 1) throw new Error('not at once')
          if (losses < LOSSES) {
            losses += 1
            await server.restart()
          } else isOver = true
        },
      }),
    ],
  })
  try {
    relay.start()
    await log.append([
      outboxEvent(
        { type: 'order.created', subject: 'one' },
        { source: '/shop', traceparent: undefined },
      ),
    ])
    const isDead = async () => (await log.deadLetters.count({ origin: 'email' })) > 0
    await waitFor(async () => isOver || (await isDead()), {
      what: 'the retry to be over',
      timeoutMs: 60_000,
    })
    expect({ isOver, isDead: await isDead() }).toEqual({ isOver: true, isDead: false })
  } finally {
    await relay.stop()
    client.disconnect()
    await server.stop()
  }
}, 240_000)
