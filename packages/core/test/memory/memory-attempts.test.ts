import { setMaxListeners } from 'node:events'
import { type MemoryTransaction, memoryStore, OncekeyError } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import {
  attemptOf,
  claim,
  completion,
  HOUR_MS,
  retry,
  run,
  type Store,
  withClock,
} from './claims.ts'

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
      attempt: first.token,
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
