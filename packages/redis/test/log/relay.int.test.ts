import { once as happens } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type EventLog, OncekeyError, outboxEvent } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { consumer, createRelay, deadLetters, PermanentError } from '@oncekey/outbox'
import { redisLog, redisStore } from '@oncekey/redis'
import { type Child, type RedisServer, startNode, startRedis, waitFor } from '@oncekey/test-servers'
import express from 'express'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
const children: Child<unknown>[] = []
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'yes' } })
  client = new Redis(server.url)
  client.on('error', () => {})
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})
beforeEach(() => client.flushall())
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

const logOf = (): EventLog<never> => redisLog({ client, commandTimeoutMs: 20_000 })

async function startRelay(env: Record<string, string> = {}): Promise<Child<unknown>> {
  const child = await startNode(new URL('../children/relay.ts', import.meta.url), {
    env: { REDIS_URL: server.url, ...env },
    readyTimeoutMs: 60_000,
  })
  children.push(child)
  return child
}

async function order(...subjects: string[]): Promise<void> {
  const log = logOf()
  for (const subject of subjects) {
    const emitted = { type: 'order.created', subject }
    await log.append([outboxEvent(emitted, { source: '/shop', traceparent: undefined })])
  }
}

const counts = async (key: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(await client.hgetall(key)).map(([name, count]) => [name, Number(count)]),
  )

describe('relays that are killed in the middle of a batch', () => {
  const subjects = Array.from({ length: 200 }, (_, at) => `order-${at}`)

  test('lose no event, and take effect once if the consumer recognizes repeated events', {
    timeout: 300_000,
  }, async () => {
    await order(...subjects)
    for (const dieAfter of ['15', '40']) {
      // Cursors are written late, so that many events are delivered again.
      const dying = await startRelay({ DIE_AFTER: dieAfter, ADVANCE_EVERY_MS: '60000' })
      expect(await dying.exited).toMatchObject({ signal: 'SIGKILL' })
    }
    await startRelay()
    await waitFor(async () => (await client.hlen('mailed')) === subjects.length, {
      what: 'every event to reach its consumers',
      timeoutMs: 120_000,
    })
    expect(Object.keys(await counts('effects')).sort()).toEqual([...subjects].sort())
    expect(Object.values(await counts('effects'))).toEqual(subjects.map(() => 1))
    const delivered = Object.values(await counts('delivered'))
    // The kills had an effect: some events came more than once, and were recognized.
    expect(delivered.some((times) => times > 1)).toBe(true)
    // Each event that a consumer emitted was appended once, although its cause was delivered again.
    expect(await client.hlen('shipped')).toBe(subjects.length)
  })

  test('together with the server, which keeps the cursors, lose no event and repeat few', {
    timeout: 300_000,
  }, async () => {
    await order(...subjects.slice(0, 50))
    await startRelay()
    await waitFor(async () => (await client.hlen('mailed')) === 50, { what: 'the first half' })
    await waitFor(
      async () => {
        const lags = await Promise.all(['shipping', 'email'].map((name) => logOf().lag(name)))
        return lags.every(({ events }) => events === 0)
      },
      { what: 'cursors', timeoutMs: 60_000 },
    )
    await server.restart()
    await order(...subjects.slice(50, 100))
    await waitFor(async () => (await client.hlen('mailed')) === 100, {
      what: 'the second half',
      timeoutMs: 120_000,
    })
    const delivered = await counts('delivered')
    expect(subjects.slice(0, 50).map((subject) => delivered[subject])).toEqual(Array(50).fill(1))
    expect(Object.values(await counts('effects'))).toEqual(Array(100).fill(1))
  })
})

test('an event whose handler takes longer than a lease is delivered once, beside another relay', async () => {
  await order('order-1')
  let [deliveries, ends] = [0, 0]
  const slow = consumer({
    name: 'slow',
    async handle() {
      deliveries += 1
      await new Promise((resolve) => setTimeout(resolve, 5_000))
      ends += 1
    },
  })
  const relays = [1, 2].map(() =>
    createRelay({ log: logOf(), consumers: [slow], leaseMs: 2_000, advanceEveryMs: 10 }),
  )
  for (const relay of relays) relay.start()
  try {
    await waitFor(async () => ends > 0 && (await logOf().lag('slow')).events === 0, {
      what: 'the cursor to pass the event',
      timeoutMs: 60_000,
    })
    expect(deliveries).toBe(1)
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()))
  }
})

describe('redisStore and redisLog together', () => {
  test('emit once for a POST that is sent again and again, and its event takes effect once', async () => {
    const app = express()
    const once = idempotency({
      store: redisStore({ client, commandTimeoutMs: 20_000 }),
      scope: () => 'shop',
    })
    let runs = 0
    app.post('/orders', express.json(), once, (req, res) => {
      runs += 1
      once.of(req).emit({ type: 'order.created', subject: req.body.order, data: req.body })
      res.status(201).json({ order: req.body.order })
    })
    const http = app.listen(0, '127.0.0.1')
    await happens(http, 'listening')
    const { port } = http.address() as AddressInfo
    const post = async (key: string): Promise<number> => {
      const { status } = await fetch(`http://127.0.0.1:${port}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ order: key }),
      })
      return status
    }
    const seen = new Set<string>()
    const effects: string[] = []
    const relay = createRelay<never>({
      log: logOf(),
      consumers: [
        consumer<never>({
          name: 'shipping',
          handle({ event }) {
            if (!seen.has(event.id)) effects.push((event.data as { order: string }).order)
            seen.add(event.id)
          },
        }),
      ],
    })
    relay.start()
    const keys = Array.from({ length: 20 }, (_, at) => `order-${at}`)
    try {
      const answers = await Promise.all(keys.flatMap((key) => [post(key), post(key), post(key)]))
      expect(answers.every((status) => status === 201 || status === 409)).toBe(true)
      for (const key of keys) expect(await post(key)).toBe(201)
      await waitFor(() => effects.length >= keys.length, { what: 'all events', timeoutMs: 30_000 })
      // Its cursors reach the ends of the streams.
      await waitFor(async () => (await logOf().lag('shipping')).events === 0, {
        what: 'the cursors',
        timeoutMs: 30_000,
      })
    } finally {
      await relay.stop()
      http.close()
    }
    expect(runs).toBe(keys.length)
    expect(effects.sort()).toEqual([...keys].sort())
  })

  test('file an event that a consumer cannot take as a dead letter, and deliver it again after a redrive', async () => {
    await order('order-1')
    let broken = true
    const taken: string[] = []
    const relay = createRelay<never>({
      log: logOf(),
      consumers: [
        consumer<never>({
          name: 'print',
          handle({ event }) {
            if (broken) throw new PermanentError('no paper')
            taken.push(event.id)
          },
        }),
      ],
    })
    await relay.runOnce()
    const dead = deadLetters(logOf().deadLetters)
    const { items } = await dead.list()
    expect(items.map(({ subject, error }) => [subject, error?.message])).toEqual([
      ['order-1', 'no paper'],
    ])
    broken = false
    await dead.redrive({ origin: 'print' })
    await relay.runOnce()
    await relay.stop()
    expect(taken).toEqual([items[0]?.eventId])
    expect((await dead.stats()).depth).toBe(0)
  })

  // A bug: refused letters were reported once in every portion, and redriven ones by their new
  // state.
  test('redrive dead letters by id in portions, and report each refused one once', async () => {
    await order(...Array.from({ length: 7 }, (_, at) => `order-${at}`))
    const handle = () => {
      throw new PermanentError('no paper')
    }
    const relay = createRelay<never>({
      log: logOf(),
      consumers: [consumer<never>({ name: 'print', handle })],
    })
    await relay.runOnce()
    await relay.stop()
    const dead = deadLetters(logOf().deadLetters)
    const ids = (await dead.list()).items.map(({ id }) => id)
    const [given = '', ...others] = ids
    await dead.discard([given], 'no such printer any more')
    const result = await dead.redrive({ ids: [...ids, 'no such'] }, { ratePerSecond: 20 })
    expect(result.redriven.toSorted()).toEqual(others.toSorted())
    expect(result.refused).toEqual([
      { id: given, outcome: 'already-discarded' },
      { id: 'no such', outcome: 'unknown' },
    ])
  })

  test('refuse a consumer that asks for a transaction', async () => {
    await order('order-1')
    let thrown: unknown
    const relay = createRelay<never>({
      log: logOf(),
      consumers: [
        consumer<never>({
          name: 'greedy',
          async handle({ transaction }) {
            thrown = await transaction().catch((error) => error)
          },
        }),
      ],
    })
    await relay.runOnce()
    await relay.stop()
    expect(thrown).toBeInstanceOf(OncekeyError)
    expect((thrown as OncekeyError).code).toBe('transaction-unsupported')
  })

  test('refuse an ordered consumer at once, because the log keeps no order between requests', () => {
    expect(() =>
      createRelay<never>({
        log: logOf(),
        consumers: [consumer<never>({ name: 'ledger', ordered: true, handle: () => {} })],
      }),
    ).toThrow('the log "redis" keeps no order')
  })
})
