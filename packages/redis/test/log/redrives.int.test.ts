import { redisLog } from '@oncekey/redis'
import { type RedisServer, startProxy, startRedis, type TcpProxy } from '@oncekey/test-servers'
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
