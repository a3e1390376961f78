import { hash, randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  type Attempt,
  type Claim,
  type Completion,
  type Decision,
  type MemoryStoreOptions,
  type MemoryTransaction,
  memoryStore,
  OncekeyError,
  OptionsError,
  type OutboxEvent,
} from '@oncekey/core'
import { describe, expect, test } from 'vitest'

// Only what is specific to the memory store; packages/conformance runs the store contract on it.

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

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

describe('leases in the memory store', () => {
  test('run out by its own clock, to the millisecond', async () => {
    const { store, advance } = withClock({ mode: 'lease' })
    const first = claim({ leaseMs: 1000 })
    await run(store, first)
    advance(999)
    expect(await store.begin(retry(first))).toEqual({ kind: 'in-progress', retryAfterMs: 1 })
    advance(1)
    expect((await run(store, retry(first))).number).toBe(2)
  })

  test('leave the outcome unknown since the moment they ran out', async () => {
    const { store, advance, startedAt } = withClock({ mode: 'lease' })
    const first = claim({ leaseMs: 1000, whenUnknown: 'hold' })
    await run(store, first)
    advance(5000)
    expect(await store.begin(retry(first))).toEqual({
      kind: 'unknown',
      since: new Date(startedAt + 1000),
    })
  })

  test('are not moved by a step of the wall clock', async () => {
    const store = memoryStore({ mode: 'lease' })
    const first = claim({ leaseMs: 60_000 })
    await run(store, first)
    const now = Date.now
    try {
      Date.now = () => now() + HOUR_MS
      expect((await store.begin(retry(first))).kind).toBe('in-progress')
    } finally {
      Date.now = now
    }
  })

  test('revoke the transaction of an attempt that was taken over', async () => {
    const { store, advance } = withClock({ mode: 'lease' })
    const first = claim({ leaseMs: 1000 })
    const stale = await run(store, first)
    const transaction = await stale.transaction()
    advance(1000)
    await run(store, retry(first))
    expect(() => transaction.set('order-1', true)).toThrow(
      expect.objectContaining({ code: 'transaction-over' }),
    )
    await expect(stale.transaction()).rejects.toMatchObject({ code: 'transaction-over' })
  })

  test('begin anew when the claim is sent again with its token', async () => {
    const { store, advance } = withClock({ mode: 'lease' })
    const first = claim({ leaseMs: 1000 })
    const attempt = await run(store, first)
    advance(900)
    expect(await run(store, first)).toBe(attempt)
    advance(900)
    expect((await store.begin(retry(first))).kind).toBe('in-progress')
  })
})

describe('the transaction of the memory store', () => {
  test('sees its own writes and deletions over what is committed', async () => {
    const store = memoryStore()
    await commit(store, (transaction) => {
      transaction.set('a', 1)
      transaction.set('b', 2)
    })
    await commit(store, (transaction) => {
      transaction.set('a', undefined)
      transaction.delete('b')
      expect([transaction.get('a'), transaction.get('b')]).toEqual([undefined, undefined])
      transaction.set('b', 3)
      transaction.delete('c')
      expect([...store.data]).toEqual([
        ['a', 1],
        ['b', 2],
      ])
    })
    expect([...store.data]).toEqual([
      ['a', undefined],
      ['b', 3],
    ])
  })

  test('deletes when it commits', async () => {
    const store = memoryStore()
    await commit(store, (transaction) => transaction.set('a', 1))
    await commit(store, (transaction) => transaction.delete('a'))
    expect(store.data.size).toBe(0)
  })

  test('of two that set the same name, the last to complete wins', async () => {
    const store = memoryStore()
    const [one, two] = [await run(store, claim()), await run(store, claim())]
    ;(await one.transaction()).set('a', 'one')
    ;(await two.transaction()).set('a', 'two')
    await two.complete(completion())
    await one.complete(completion())
    expect(store.data.get('a')).toBe('one')
  })

  test('refuses reads after its end, too', async () => {
    const store = memoryStore()
    const attempt = await run(store, claim())
    const transaction = await attempt.transaction()
    await attempt.release()
    for (const use of [
      () => transaction.get('a'),
      () => transaction.set('a', 1),
      () => transaction.delete('a'),
    ]) {
      expect(use).toThrow(OncekeyError)
    }
  })
})

describe('waiting in the memory store', () => {
  test('leaves no timer and no listener behind', async () => {
    const store = memoryStore()
    const first = claim()
    const attempt = await run(store, first)
    const { signal, listeners } = countedSignal()
    setMaxListeners(0, signal)
    const before = timers()
    const waiters = Array.from({ length: 50 }, () =>
      store.begin(retry(first, { waitMs: HOUR_MS, signal })),
    )
    expect(timers()).toBeGreaterThan(before)
    await attempt.complete(completion())
    for (const decision of await Promise.all(waiters)) expect(decision.kind).toBe('replay')
    expect(timers()).toBeLessThanOrEqual(before)
    expect(listeners()).toBe(0)
  })

  test('accepts a waiting time longer than a timer supports', async () => {
    const store = memoryStore()
    const first = claim()
    const attempt = await run(store, first)
    const waiter = store.begin(retry(first, { waitMs: Number.MAX_SAFE_INTEGER }))
    expect((await store.begin(retry(first))).kind).toBe('in-progress')
    await attempt.complete(completion())
    expect((await waiter).kind).toBe('replay')
  })

  test('is first come, first served', async () => {
    const store = memoryStore()
    const first = claim()
    const order: number[] = []
    let attempt = await run(store, first)
    const waiters = [1, 2, 3].map(async (index) => {
      const decision = await store.begin(retry(first, { waitMs: HOUR_MS }))
      order.push(index)
      return decision
    })
    for (const waiter of waiters) {
      await attempt.release()
      attempt = attemptOf(await waiter)
    }
    expect(order).toEqual([1, 2, 3])
  })

  test('continues with the attempt that took the key over', async () => {
    const { store, advance } = withClock({ mode: 'lease' })
    const first = claim({ leaseMs: HOUR_MS })
    await run(store, first)
    const waiter = store.begin(retry(first, { waitMs: HOUR_MS }))
    advance(HOUR_MS)
    const successor = await run(store, retry(first))
    await successor.complete(completion())
    expect((await waiter).kind).toBe('replay')
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

type Store = ReturnType<typeof memoryStore>

function withClock(options: MemoryStoreOptions = {}): {
  store: Store
  startedAt: number
  advance: (ms: number) => void
} {
  const startedAt = Date.UTC(2026, 0, 1)
  let time = startedAt
  const advance = (ms: number): void => {
    time += ms
  }
  return { store: memoryStore({ ...options, now: () => time }), startedAt, advance }
}

function claim(differently?: Partial<Claim>): Claim {
  return {
    namespace: 'http',
    scope: 'customer-1',
    key: randomUUID(),
    fingerprints: ['json1:a'],
    token: randomUUID(),
    leaseMs: 60_000,
    waitMs: 0,
    whenUnknown: 'retake',
    signal: new AbortController().signal,
    ...differently,
  }
}

function retry(first: Claim, differently?: Partial<Claim>): Claim {
  return { ...first, token: randomUUID(), ...differently }
}

function completion(differently?: Partial<Completion>): Completion {
  const response = { status: 200, headers: [], body: new Uint8Array(2), seal: null }
  return { response, events: [], writes: 'keep', ...differently }
}

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

async function run(store: Store, asked: Claim): Promise<Attempt<MemoryTransaction>> {
  return attemptOf(await store.begin(asked))
}

function attemptOf(decision: Decision<MemoryTransaction>): Attempt<MemoryTransaction> {
  if (decision.kind !== 'run') throw new Error(`The answer is ${decision.kind}.`)
  return decision.attempt
}

async function finish(store: Store, asked: Claim): Promise<void> {
  expect(await (await run(store, asked)).complete(completion())).toBe('stored')
}

async function commit(store: Store, work: (transaction: MemoryTransaction) => void): Promise<void> {
  const attempt = await run(store, claim())
  work(await attempt.transaction())
  await attempt.complete(completion())
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}

function countedSignal(): { signal: AbortSignal; listeners: () => number } {
  const { signal } = new AbortController()
  let count = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...given: unknown[]) => {
    count += 1
    Reflect.apply(addEventListener, signal, given)
  }
  signal.removeEventListener = (...given: unknown[]) => {
    count -= 1
    Reflect.apply(removeEventListener, signal, given)
  }
  return { signal, listeners: () => count }
}
