import { randomUUID } from 'node:crypto'
import {
  type DeliveryAttempt,
  type EventLog,
  type LoggedEvent,
  type OutboxEvent,
  SLOTS,
  slotOf,
  type TakenSlot,
} from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import {
  type RedisServer,
  startProxy,
  startRedis,
  startReplicas,
  type TcpProxy,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let primary: RedisServer
let replica: RedisServer
let wire: TcpProxy
let client: Redis
let log: EventLog<never>

beforeEach(async () => {
  primary = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  replica = (await startReplicas(primary, 1))[0] as RedisServer
  wire = await startProxy(primary.port)
  client = new Redis(wire.port, '127.0.0.1', { retryStrategy: () => 20 })
  client.on('error', () => {})
  log = redisLog({ client, commandTimeoutMs: 20_000 })
})
afterEach(async () => {
  client.disconnect()
  await wire.stop()
  await replica.stop()
  await primary.stop()
})

const consumer = 'email'
const attempt: DeliveryAttempt = {
  startedAtMs: 0,
  durationMs: 1,
  error: { name: 'Error', message: 'no', code: null, stack: null, fingerprint: 'f' },
}

/** One slot is enough, because all slots are alike. */
const KEY = 'one-key'
const SLOT = slotOf(KEY)
const OUTBOX = `oncekey:{${SLOT}}:outbox`

const eventOf = (): OutboxEvent => ({
  id: randomUUID(),
  type: 'order.created',
  source: '/shop',
  subject: null,
  orderingKey: KEY,
  data: '{}',
  headers: {},
  occurredAt: new Date(),
})

async function hold(): Promise<TakenSlot> {
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  return takeAgain()
}

async function takeAgain(): Promise<TakenSlot> {
  const { taken } = await log.lease({ consumer, relay: 'relay-1', leaseMs: 60_000, holding: [] })
  expect(taken.length).toBe(SLOTS)
  return taken.find(({ slot }) => slot === SLOT) as TakenSlot
}

async function readFrom(slot: number, position: string): Promise<readonly LoggedEvent[]> {
  return (await log.read({ consumer, types: null, slots: [{ slot, position }], limit: 100 })).events
}

/** Disconnects the replica, which receives nothing from then on. */
async function cutOffReplica(): Promise<void> {
  const password = 'unknown to the replica'
  await primary.cli('config', 'set', 'requirepass', password)
  await primary.cli('-a', password, '--no-auth-warning', 'client', 'kill', 'type', 'replica')
}

/** Stops the primary, and makes its address lead to the replica. */
async function failOver(): Promise<void> {
  await primary.crash()
  await replica.cli('replicaof', 'no', 'one')
  wire.retarget(replica.port)
  wire.cut()
}

describe('a failover to a lagging replica', () => {
  // A bug: a relay that kept running believed that lost filings were still on file, and moved its
  // cursor past the events.
  test('loses no event whose filing it took back, because positions from before are refused', async () => {
    const [failing, later] = [eventOf(), eventOf()]
    await log.append([failing])
    const held = await hold()
    const [event] = await readFrom(SLOT, held.position)
    await cutOffReplica()
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    const filed = { event: event as LoggedEvent, verdict, attempt }
    const move = { ...held, calm: false, failed: [] }
    const position = event?.position ?? ''
    expect(
      await log.advance({ consumer, slots: [{ ...move, position, failed: [filed] }] }),
    ).toEqual({ lost: [] })
    await failOver()
    await log.append([later])
    await expect(readFrom(SLOT, position)).rejects.toMatchObject({ code: 'log-restored' })
    // A relay that does not read first notices it by its writes.
    const moved = await log.advance({ consumer, slots: [{ ...move, position }] })
    expect(moved).toEqual({ lost: [SLOT] })
    const settled = [{ id: `${SLOT}-1`, slot: SLOT, verdict: { kind: 'done' } as const, attempt }]
    expect(await log.settle({ consumer, slots: [held], settled })).toEqual({ lost: [SLOT] })
    expect(await log.suspect({ consumer, slot: held, eventId: 'e' })).toBe('lost')
    const lease = { consumer, relay: 'relay-1', leaseMs: 60_000, holding: [held] }
    expect((await log.lease(lease)).lost).toEqual([SLOT])
    const again = await takeAgain()
    const ids = (await readFrom(SLOT, again.position)).map(({ id }) => id)
    expect(ids).toEqual([failing.id, later.id])
  })

  test('whose clock is behind loses no event with an id below a position from before', async () => {
    await client.xadd(OUTBOX, '1000-0', 'id', 'kept', 'type', 'a')
    const held = await hold()
    expect((await readFrom(SLOT, held.position)).map(({ id }) => id)).toEqual(['kept'])
    await cutOffReplica()
    await client.xadd(OUTBOX, '3000-0', 'id', 'lost', 'type', 'a')
    const [, lost] = await readFrom(SLOT, held.position)
    await failOver()
    await client.xadd(OUTBOX, '2000-0', 'id', 'behind', 'type', 'a')
    await client.xadd(OUTBOX, '4000-0', 'id', 'ahead', 'type', 'a')
    const position = lost?.position ?? ''
    await expect(readFrom(SLOT, position)).rejects.toMatchObject({ code: 'log-restored' })
    const move = { ...held, position, calm: false, failed: [] }
    expect(await log.advance({ consumer, slots: [move] })).toEqual({ lost: [SLOT] })
    const again = await takeAgain()
    const ids = (await readFrom(SLOT, again.position)).map(({ id }) => id)
    expect(ids).toEqual(['kept', 'behind', 'ahead'])
  })

  test('and back again is another life, even if no server was restarted', async () => {
    const held = await hold()
    const { position } = held
    await replica.cli('replicaof', 'no', 'one')
    await primary.cli('replicaof', '127.0.0.1', `${replica.port}`)
    await primary.cli('replicaof', 'no', 'one')
    await expect(readFrom(SLOT, position)).rejects.toMatchObject({ code: 'log-restored' })
  })
})

test('a restart is another life: events in flight are delivered again', async () => {
  await log.append([eventOf()])
  const held = await hold()
  await primary.restart()
  await expect(readFrom(SLOT, held.position)).rejects.toMatchObject({ code: 'log-restored' })
  const again = await takeAgain()
  expect((await readFrom(SLOT, again.position)).length).toBe(1)
})

test('a stream that is deleted while its relay runs is read again from its start', async () => {
  await client.xadd(OUTBOX, '3000-0', 'id', 'gone', 'type', 'a')
  const held = await hold()
  const [gone] = await readFrom(SLOT, held.position)
  const move = { ...held, position: gone?.position ?? '', calm: false, failed: [] }
  await log.advance({ consumer, slots: [move] })
  await client.del(OUTBOX)
  await client.xadd(OUTBOX, '2000-0', 'id', 'below', 'type', 'a')
  const lease = { consumer, relay: 'relay-1', leaseMs: 60_000, holding: [held] }
  expect((await log.lease(lease)).lost).toEqual([SLOT])
  const again = await takeAgain()
  const ids = (await readFrom(SLOT, again.position)).map(({ id }) => id)
  expect(ids).toEqual(['below'])
})

test('a user without permission for INFO reads and writes, without telling lives apart', async () => {
  await primary.cli('acl', 'setuser', 'plain', 'on', '>secret', '~oncekey:*', '+@all', '-info')
  const plain = new Redis(primary.port, '127.0.0.1', { username: 'plain', password: 'secret' })
  plain.on('error', () => {})
  log = redisLog({ client: plain })
  await log.append([eventOf()])
  const held = await hold()
  const [event] = await readFrom(SLOT, held.position)
  const move = { ...held, position: event?.position ?? '', calm: false, failed: [] }
  expect(await log.advance({ consumer, slots: [move] })).toEqual({ lost: [] })
  plain.disconnect()
})
