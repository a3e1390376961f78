import { setTimeout } from 'node:timers/promises'
import { redisLog } from '@oncekey/redis'
import {
  type RedisServer,
  startProxy,
  startRedis,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { eventOf } from '../servers/claims.ts'

let server: RedisServer
let proxy: TcpProxy
let client: Redis
const clients: Redis[] = []
beforeAll(async () => {
  server = await startRedis()
  proxy = await startProxy(server.port)
  client = new Redis(server.url)
})
afterAll(async () => {
  for (const each of [client, ...clients]) each.disconnect()
  await proxy.stop()
  await server.stop()
})
beforeEach(() => client.flushall())

const consumer = 'email'

/** A log whose connection is cut right after it has sent a command, as if its process had died. */
function doomed() {
  const made = new Redis(proxy.through(server.url), {
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  })
  made.on('error', () => {})
  clients.push(made)
  return redisLog({ client: made })
}

async function withDead(count: number) {
  const log = redisLog({ client })
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  await log.append(Array.from({ length: count }, () => eventOf()))
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  const page = await log.read({ consumer, types: null, slots: taken, limit: 1_000 })
  const epochOf = (slot: number) => taken.find((each) => each.slot === slot)?.epoch ?? ''
  const slots = page.next.map(({ slot, position }) => ({
    slot,
    position,
    epoch: epochOf(slot),
    calm: false,
    failed: page.events
      .filter((event) => event.slot === slot)
      .map((event) => ({
        event,
        verdict: { kind: 'dead', reason: 'permanent' } as const,
        attempt: null,
      })),
  }))
  await log.advance({ consumer, slots })
  const redrives = log.deadLetters.redrives
  if (redrives === undefined) throw new Error('Redis keeps redrives.')
  return { log, redrives, held: taken.map(({ slot, epoch }) => ({ slot, epoch })) }
}

test.each([
  ['the portion is planned', 'dropBefore', '"letters":['],
  ['the plan is kept', 'dropAfter', '"letters":['],
  ['its letters are put back', 'dropBefore', '"refused":['],
  ['it is counted', 'dropAfter', '"refused":['],
] as const)(
  'a carrier that dies when %s (%s) leaves a portion that is taken once',
  async (...at) => {
    const [, lose, sent] = at
    const { log, redrives } = await withDead(7)
    const id = await redrives.start({ origin: consumer }, { ratePerSecond: 1_000 })
    const other = doomed()
    await other.deadLetters.redrives?.get(id)
    const lost = proxy[lose](sent)
    await expect(other.deadLetters.redrives?.carry()).rejects.toMatchObject({
      code: 'store-unavailable',
    })
    await lost
    while ((await redrives.carry()).nextInMs !== null);
    expect(await redrives.get(id)).toMatchObject({ state: 'done', redriven: 7, refused: 0 })
    const { items } = await redrives.portions(id, { limit: 100 })
    expect(new Set(items.flatMap(({ redriven }) => redriven)).size).toBe(7)
    const retrying = await log.deadLetters.listRetrying({ origin: consumer }, { limit: 100 })
    expect(retrying.items.map(({ redrives: times }) => times)).toEqual(Array(7).fill(1))
  },
)

test('a letter that died again before its portion was counted is not taken twice', async () => {
  const { log, redrives, held } = await withDead(1)
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 1_000 })
  const other = doomed()
  await other.deadLetters.redrives?.get(id)
  const lost = proxy.dropBefore('"refused":[')
  await expect(other.deadLetters.redrives?.carry()).rejects.toThrow()
  await lost
  const { deliveries } = await log.takeDue({ consumer, slots: held, except: [], limit: 10 })
  const [due] = deliveries
  if (due === undefined) throw new Error('It was put back.')
  const { slot } = due.event
  const verdict = { kind: 'dead', reason: 'exhausted' } as const
  const settled = [{ id: due.id, slot, verdict, attempt: null }]
  await log.settle({ consumer, slots: held.filter((each) => each.slot === slot), settled })
  while ((await redrives.carry()).nextInMs !== null);
  expect(await redrives.get(id)).toMatchObject({ state: 'done', redriven: 1, refused: 0 })
  expect(await log.deadLetters.get(due.id)).toMatchObject({ state: 'dead', redrives: 1 })
})

test('a cancel in the middle of a portion still counts what that has taken', async () => {
  const { redrives } = await withDead(2)
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 1 })
  const other = doomed()
  await other.deadLetters.redrives?.get(id)
  const lost = proxy.dropBefore('"refused":[')
  await expect(other.deadLetters.redrives?.carry()).rejects.toThrow()
  await lost
  const act = { actor: 'maria@shop.example', note: 'it fails again' }
  expect(await redrives.cancel(id, act)).toBe('cancelled')
  while ((await redrives.carry()).nextInMs !== null);
  expect(await redrives.get(id)).toMatchObject({ state: 'cancelled', redriven: 1 })
})

// A bug: what had died before the clock was put back lay behind the end of the redrive, which ended
// without it.
test('letters that died before the clock was put back are redriven, and none twice', async () => {
  const { log, redrives, held } = await withDead(5)
  for (const key of await client.keys('*:dead')) {
    for (const number of await client.zrange(key, 0, '-1')) {
      await client.zincrby(key, 3_600_000_000, number)
    }
  }
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 1 })
  await redrives.carry()
  expect(await redrives.get(id)).toMatchObject({ state: 'running', matched: 5, redriven: 1 })
  // The first dies again, before the end of the redrive by the place that it gets.
  const { deliveries } = await log.takeDue({ consumer, slots: held, except: [], limit: 10 })
  const [due] = deliveries
  if (due === undefined) throw new Error('It was put back.')
  const { slot } = due.event
  const verdict = { kind: 'dead', reason: 'exhausted' } as const
  const settled = [{ id: due.id, slot, verdict, attempt: null }]
  await log.settle({ consumer, slots: held.filter((each) => each.slot === slot), settled })
  await waitFor(
    async () => {
      await redrives.carry()
      return (await redrives.get(id))?.state === 'done'
    },
    { what: 'the redrive to end', timeoutMs: 30_000 },
  )
  expect(await redrives.get(id)).toMatchObject({ redriven: 5, refused: 0 })
  expect(await log.deadLetters.get(due.id)).toMatchObject({ state: 'dead', redrives: 1 })
})

// A bug: each call carried the twenty that were due first, whatever had become of them before.
test('redrives whose portions fail do not keep the others waiting', async () => {
  const { redrives } = await withDead(3)
  for (let n = 0; n < 25; n++) {
    const id = await redrives.start({ origin: 'nobody' }, { ratePerSecond: 1_000 })
    const [key = ''] = await client.keys(`*redrives*:${id}`)
    await client.hset(key, 'filter', '{"deadBefore":')
  }
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 1_000 })
  for (let times = 0; times < 3; times++) await redrives.carry().catch(() => {})
  expect(await redrives.get(id)).toMatchObject({ redriven: 3 })
})

// A bug: a portion whose reply was lost had set when the next is due, and that was brought forward
// to the time for which a portion that failed is put off.
test('a portion whose reply is lost makes the next come no earlier than its rate', async () => {
  const { redrives } = await withDead(3)
  // The server has the scripts from then on, so that each is sent once.
  await redrives.start({ origin: consumer }, { ratePerSecond: 1_000, limit: 1 })
  while ((await redrives.carry()).nextInMs !== null);
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 0.01 })
  // Its connection is opened again, but what was under way is not sent a second time.
  const made = new Redis(proxy.through(server.url), {
    retryStrategy: () => 20,
    autoResendUnfulfilledCommands: false,
  })
  made.on('error', () => {})
  clients.push(made)
  const other = redisLog({ client: made })
  await other.deadLetters.redrives?.get(id)
  const lost = proxy.dropAfter('"refused":[')
  await expect(other.deadLetters.redrives?.carry()).rejects.toThrow()
  await lost
  expect(await redrives.get(id)).toMatchObject({ redriven: 1 })
  const [key = ''] = await client.keys(`*redrives*:${id}`)
  const leftMs = Number(await client.hget(key, 'next_at')) - Date.now()
  expect(leftMs).toBeGreaterThan(30_000)
})

// A bug: a carrier whose plan came late was given the plan of the next portion, and carried it
// under its own number: it counted as refused what the other had put back, so more than the limit
// were put back.
test('a carrier that planned slowly leaves the next portion to the one that planned it', async () => {
  const { redrives } = await withDead(5)
  // One letter a portion.
  const id = await redrives.start({ origin: consumer }, { ratePerSecond: 10, limit: 2 })
  const slow = new Redis(server.url)
  clients.push(slow)
  // Which the types of ioredis do not have.
  type Send = (sha: string, args: unknown[]) => Promise<unknown>
  const sending = slow as unknown as { evalshaBuffer: Send }
  const send = sending.evalshaBuffer.bind(slow)
  const [reached, opened] = [gate(), gate()]
  sending.evalshaBuffer = async (sha, args) => {
    if (args.some((each) => String(each).startsWith('{"letters":['))) {
      reached.open()
      await opened.passed
    }
    return send(sha, args)
  }
  const late = redisLog({ client: slow }).deadLetters.redrives?.carry()
  await reached.passed
  await redrives.carry()
  expect(await redrives.get(id)).toMatchObject({ redriven: 1 })
  // It plans the second portion and puts its letter back, but does not count it.
  const other = doomed()
  await other.deadLetters.redrives?.get(id)
  const lost = proxy.dropBefore('"refused":[')
  await setTimeout(150)
  await expect(other.deadLetters.redrives?.carry()).rejects.toThrow()
  await lost
  opened.open()
  await late
  while ((await redrives.carry()).nextInMs !== null);
  expect(await redrives.get(id)).toMatchObject({ state: 'done', redriven: 2, refused: 0 })
})

function gate() {
  let open = () => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, passed }
}
