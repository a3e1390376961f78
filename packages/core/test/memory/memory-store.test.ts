import { hash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Claim,
  type MemoryStoreOptions,
  memoryStore,
  OptionsError,
  type OutboxEvent,
} from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import { claim, completion, HOUR_MS, retry, run, type Store, withClock } from './claims.ts'

const DAY_MS = 24 * HOUR_MS

function event(id: string): OutboxEvent {
  return {
    id,
    type: 'order.created',
    source: '/orders',
    subject: null,
    orderingKey: id,
    data: 'null',
    headers: {},
    occurredAt: new Date(0),
  }
}

async function finish(store: Store, asked: Claim): Promise<void> {
  expect(await (await run(store, asked)).complete(completion())).toBe('stored')
}

describe('the memory store is bounded', () => {
  test('throws `store-busy` when it is full, and evicts no key before its time', async () => {
    const store = memoryStore({ maxRecords: 3 })
    const claims = [claim(), claim(), claim()]
    for (const each of claims) await finish(store, each)

    await expect(store.begin(claim())).rejects.toMatchObject({
      code: 'store-busy',
      message: expect.stringContaining('maxRecords'),
    })
    for (const each of claims) expect((await store.begin(retry(each))).kind).toBe('replay')
  })

  test('still decides for known keys when it is full, and takes over lost ones', async () => {
    const { store, advance } = withClock({ maxRecords: 1, mode: 'lease' })
    const first = claim({ leaseMs: 1000 })
    await run(store, first)

    expect((await store.begin(retry(first))).kind).toBe('in-progress')
    advance(1000)
    const taken = await run(store, retry(first))
    expect(taken.number).toBe(2)
    await expect(store.begin(claim())).rejects.toMatchObject({ code: 'store-busy' })
  })

  test('has room again for each attempt that is released', async () => {
    const store = memoryStore({ maxRecords: 1 })
    for (let round = 0; round < 3; round += 1) await (await run(store, claim())).release()
    await run(store, claim())
  })

  test('has room for attempts without a key, however full it is', async () => {
    const store = memoryStore({ maxRecords: 1 })
    await run(store, claim())
    const attempt = await store.open({ leaseMs: 1000 })
    expect(await attempt.complete(completion())).toBe('stored')
  })

  test('has room again when its keys are past their retention', async () => {
    const { store, advance } = withClock({ maxRecords: 100 })
    for (let day = 0; day < 30; day += 1) {
      for (let index = 0; index < 100; index += 1) await finish(store, claim())
      await expect(store.begin(claim())).rejects.toMatchObject({ code: 'store-busy' })
      advance(7 * DAY_MS)
    }
    await finish(store, claim())
  })

  test('has room again when lost attempts are past the retention of keys', async () => {
    const { store, advance } = withClock({ maxRecords: 2, mode: 'lease' })
    await run(store, claim({ leaseMs: 1000 }))
    await (await run(store, claim())).abandon()
    advance(7 * DAY_MS - 1)
    await expect(store.begin(claim())).rejects.toMatchObject({ code: 'store-busy' })
    advance(1000 + 1)
    await finish(store, claim())
    await finish(store, claim())
  })

  test('keeps the last 100,000 events, or some more', async () => {
    const store = memoryStore()
    const attempt = await store.open({ leaseMs: 1000 })
    const events = Array.from({ length: 250_000 }, (_, index) => event(`${index}`))
    await attempt.complete(completion({ events }))
    expect(store.events.length).toBeGreaterThanOrEqual(100_000)
    expect(store.events.length).toBeLessThan(200_000)
    expect(store.events.at(-1)?.id).toBe('249999')
  })

  test('uses less than 1 KB per record, beyond the bytes of its response', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const heapUsed = async (): Promise<number> => {
      for (let round = 0; round < 3; round += 1) {
        collectGarbage()
        await new Promise((resolve) => setImmediate(resolve))
      }
      return process.memoryUsage().heapUsed
    }
    const { signal } = new AbortController()
    const count = 20_000
    const body = new Uint8Array(300)
    const store = memoryStore()
    await finish(store, claim())

    const before = await heapUsed()
    for (let index = 0; index < count; index += 1) {
      const fingerprints = [`json1:${hash('sha256', `${index}`, 'base64url')}`] as const
      const first = claim({ scope: `customer-${index}`, fingerprints, signal })
      const headers = [['content-type', 'application/json'] as const]
      const response = { status: 201, headers, body, seal: null }
      await (await run(store, first)).complete(completion({ response }))
    }
    const perRecord = ((await heapUsed()) - before) / count
    expect(perRecord - body.length).toBeLessThan(1024)
    expect(store.events).toEqual([])
  })
})

describe('retention in the memory store', () => {
  test('keeps a response for 24 hours and its key for 7 days, counted from completion', async () => {
    const { store, advance } = withClock()
    const first = claim()
    const attempt = await run(store, first)
    advance(HOUR_MS)
    await attempt.complete(completion())

    advance(DAY_MS - 1)
    expect((await store.begin(retry(first))).kind).toBe('replay')
    advance(1)
    expect((await store.begin(retry(first))).kind).toBe('result-gone')
    advance(6 * DAY_MS - 1)
    expect((await store.begin(retry(first))).kind).toBe('result-gone')
    advance(1)
    expect((await run(store, retry(first))).number).toBe(1)
  })

  test('follows the options', async () => {
    const { store, advance } = withClock({ resultRetentionMs: 10, keyRetentionMs: 20 })
    const first = claim()
    await finish(store, first)
    advance(10)
    expect((await store.begin(retry(first))).kind).toBe('result-gone')
    advance(10)
    expect((await store.begin(retry(first))).kind).toBe('run')
  })

  test('does not end a running attempt, however long it runs', async () => {
    const { store, advance } = withClock()
    const first = claim()
    const attempt = await run(store, first)
    advance(30 * DAY_MS)
    expect((await store.begin(retry(first))).kind).toBe('in-progress')
    expect(await attempt.complete(completion())).toBe('stored')
  })

  test('of a key that finished twice counts from the second completion', async () => {
    const { store, advance } = withClock({ resultRetentionMs: 10, keyRetentionMs: 10 })
    const first = claim()
    await finish(store, first)
    advance(10)
    await finish(store, retry(first))
    advance(9)
    for (let index = 0; index < 10; index += 1) await finish(store, claim())
    expect((await store.begin(retry(first))).kind).toBe('replay')
  })

  test('applies to unknown outcomes as to keys', async () => {
    const { store, advance } = withClock({ mode: 'lease' })
    const first = claim({ whenUnknown: 'hold' })
    await (await run(store, first)).abandon()
    advance(7 * DAY_MS - 1)
    expect((await store.begin(retry(first))).kind).toBe('unknown')
    advance(1)
    expect((await run(store, retry(first))).number).toBe(1)
  })
})

describe('the options of the memory store', () => {
  test.each<[string, MemoryStoreOptions]>([
    ['`mode`', { mode: 'locked' as 'lease' }],
    ['`maxRecords`', { maxRecords: 0 }],
    ['`maxRecords`', { maxRecords: 1.5 }],
    ['`maxRecords`', { maxRecords: Number.POSITIVE_INFINITY }],
    ['`resultRetentionMs`', { resultRetentionMs: 0 }],
    ['`resultRetentionMs`', { resultRetentionMs: Number.NaN }],
    ['`keyRetentionMs`', { keyRetentionMs: -1 }],
    ['`keyRetentionMs`', { keyRetentionMs: '1 day' as unknown as number }],
    ['`keyRetentionMs`', { resultRetentionMs: 2000, keyRetentionMs: 1000 }],
    ['`now`', { now: 0 as unknown as () => number }],
  ])('are checked when it is made: %s in %o', (name, options) => {
    expect(() => memoryStore(options)).toThrow(OptionsError)
    expect(() => memoryStore(options)).toThrow(name)
  })

  test('determine the capabilities of the store', () => {
    expect(memoryStore().capabilities).toEqual({
      name: 'memory',
      mode: 'transaction',
      transactions: true,
      concurrency: 'many',
    })
    expect(memoryStore({ mode: 'lease' }).capabilities.mode).toBe('lease')
  })
})
