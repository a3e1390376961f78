import { describe, expect, test } from 'vitest'
import type { Attempt, Claim } from '../../src/contracts/store.ts'
import { type OnceOptions, once } from '../../src/engine/once.ts'
import { type MemoryTransaction, memoryStore } from '../../src/memory/memory-store.ts'
import { deferred } from '../../src/time/deferred.ts'
import { published, warned } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'

const call = { scope: 'tenant-1', key: 'job-1', input: { invoice: 7 } }
const jobs = (options: Partial<OnceOptions<MemoryTransaction>> = {}) =>
  once({ store: memoryStore(), namespace: 'jobs', ...options })
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

describe('a function run once', () => {
  test('runs, and every later call gets its result', async () => {
    const { run } = jobs()
    let runs = 0
    const work = async () => ({ id: 'i-1', run: ++runs })
    expect(await run(call, work)).toEqual({ value: { id: 'i-1', run: 1 }, replayed: false })
    expect(await run(call, work)).toEqual({ value: { id: 'i-1', run: 1 }, replayed: true })
    expect(runs).toBe(1)
  })

  test('may be a plain function', async () => {
    expect(await jobs().run(call, () => 7)).toEqual({ value: 7, replayed: false })
  })

  test.each([[undefined], [null], [0], [''], [false], [[]], [{ a: [1, 'é'] }]])(
    'may return %j',
    async (value) => {
      const { run } = jobs()
      expect(await run(call, () => value)).toEqual({ value, replayed: false })
      expect(await run(call, () => value)).toEqual({ value, replayed: true })
    },
  )

  test('has the context of a handler: its writes and events are kept with its result', async () => {
    const store = memoryStore()
    const { run } = once({ store, namespace: 'jobs', eventSource: '/billing' })
    await run(call, async ({ transaction, emit, key, scope, attempt }) => {
      expect({ key, scope, attempt }).toEqual({ key: 'job-1', scope: 'tenant-1', attempt: 1 })
      const tx = await transaction()
      tx.set('invoice', 7)
      emit({ type: 'invoice.created' })
    })
    expect(store.data.get('invoice')).toBe(7)
    expect(store.events).toMatchObject([{ type: 'invoice.created', source: '/billing' }])
  })

  test('is a different call with another scope, key or namespace', async () => {
    const store = memoryStore()
    const first = once({ store, namespace: 'jobs' })
    const second = once({ store, namespace: 'mails' })
    expect(await first.run(call, () => 1)).toMatchObject({ replayed: false })
    expect(await first.run({ ...call, key: 'job-2' }, () => 2)).toMatchObject({ replayed: false })
    expect(await first.run({ ...call, scope: 't-2' }, () => 3)).toMatchObject({ replayed: false })
    expect(await second.run(call, () => 4)).toMatchObject({ replayed: false })
  })

  test('may run again after release(), whatever it returned', async () => {
    const { run } = jobs()
    expect(
      await run(call, ({ release }) => {
        release()
        return 'nothing to do yet'
      }),
    ).toEqual({ value: 'nothing to do yet', replayed: false })
    expect(await run(call, () => 'done')).toEqual({ value: 'done', replayed: false })
  })

  test('makes its fingerprint an HMAC with seal keys', async () => {
    const store = storeThat()
    const seal = { current: 'k1', keys: { k1: new Uint8Array(32) } }
    await once({ store, namespace: 'jobs', seal }).run(call, () => 1)
    expect((store.claims[0] as Claim).fingerprints).toEqual([
      expect.stringMatching(/^json1\.k1:/),
      expect.stringMatching(/^json1:/),
    ])
  })

  test('leaves no timer behind', async () => {
    const before = timers()
    const { run } = jobs({ store: memoryStore({ mode: 'lease' }) })
    await run(call, () => 1)
    await run({ ...call, key: 'j-2' }, () => Promise.reject(new Error('x'))).catch(() => {})
    expect(timers()).toBeLessThanOrEqual(before)
  })
})

describe('a call while the first is running', () => {
  test('throws in-progress', async () => {
    const { run } = jobs()
    const work = deferred<number>()
    const first = run(call, () => work.promise)
    await expect(run(call, () => 2)).rejects.toMatchObject({
      name: 'OncekeyError',
      code: 'in-progress',
      message:
        'The first request with this key is still running. Send the same request again later.',
    })
    work.resolve(1)
    expect(await first).toEqual({ value: 1, replayed: false })
  })

  test('waits for its result with waitMs', async () => {
    const { run } = jobs({ waitMs: 5000 })
    const work = deferred<number>()
    const first = run(call, () => work.promise)
    const second = run(call, () => 2)
    work.resolve(1)
    expect(await Promise.all([first, second])).toEqual([
      { value: 1, replayed: false },
      { value: 1, replayed: true },
    ])
  })
})

describe('a call with another input', () => {
  test('throws key-reused, unless only the order of keys differs', async () => {
    const { run } = jobs()
    await run({ ...call, input: { a: 1, b: 2 } }, () => 1)
    expect(await run({ ...call, input: { b: 2, a: 1 } }, () => 2)).toMatchObject({ replayed: true })
    for (const input of [{ a: 1, b: 3 }, null, [], undefined]) {
      await expect(run({ ...call, input }, () => 2)).rejects.toMatchObject({ code: 'key-reused' })
    }
  })

  test('throws if the input cannot be compared', async () => {
    await expect(jobs().run({ ...call, input: new Map() }, () => 1)).rejects.toMatchObject({
      code: 'fingerprint-required',
    })
  })
})

describe('a function that throws', () => {
  test('has everything undone and its error rethrown, and may run again', async () => {
    const store = memoryStore()
    const { run } = once({ store, namespace: 'jobs' })
    const error = new Error('no such invoice')
    await warned(async () => {
      await expect(
        run(call, async ({ transaction, emit }) => {
          const tx = await transaction()
          tx.set('invoice', 7)
          emit({ type: 'invoice.created' })
          throw error
        }),
      ).rejects.toBe(error)
    })
    expect(store.data.size).toBe(0)
    expect(store.events).toEqual([])
    expect(await run(call, () => 'again')).toEqual({ value: 'again', replayed: false })
  })

  test('before its first await is treated the same', async () => {
    const { run } = jobs()
    const error = new Error('at once')
    await expect(
      run(call, () => {
        throw error
      }),
    ).rejects.toBe(error)
    expect(await run(call, () => 1)).toMatchObject({ replayed: false })
  })

  test('in lease mode leaves its outcome unknown, which the options decide', async () => {
    const store = memoryStore({ mode: 'lease' })
    const holding = once({ store, namespace: 'jobs', whenUnknown: 'hold' })
    await expect(holding.run(call, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    await expect(holding.run(call, () => 1)).rejects.toMatchObject({ code: 'outcome-unknown' })
    const retaking = once({ store, namespace: 'jobs' })
    expect(await retaking.run(call, ({ attempt }) => attempt)).toEqual({
      value: 2,
      replayed: false,
    })
  })

  test('and whose store fails to undo it still has its own error thrown', async () => {
    const store = storeThat({ attempt: { abandon: () => Promise.reject(new Error('gone')) } })
    const error = new Error('no such invoice')
    await published('oncekey:error', async () => {
      const { run } = once({ store, namespace: 'jobs' })
      await expect(run(call, () => Promise.reject(error))).rejects.toBe(error)
    })
  })
})

describe('a result that cannot be kept', () => {
  const circle: Record<string, unknown> = {}
  circle.self = circle

  test.each([
    ['a bigint', 1n],
    ['a circle', circle],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a Date', new Date()],
    ['a Map in a list', [new Map()]],
    ['not a number', { amount: Number.NaN }],
    ['undefined in a list', [undefined]],
    ['of a class', new (class Order {})()],
    ['bytes', new Uint8Array(1)],
    ['nested too deep', JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)],
    [
      'of a getter that throws',
      {
        get total() {
          throw new Error('not loaded')
        },
      },
    ],
  ])('because it is %s throws result-invalid, and nothing is kept', async (_, value) => {
    const store = memoryStore()
    const { run } = once({ store, namespace: 'jobs' })
    await warned(async () => {
      await expect(
        run(call, ({ emit }) => {
          emit({ type: 'invoice.created' })
          return value
        }),
      ).rejects.toMatchObject({
        code: 'result-invalid',
        message: expect.stringMatching(
          /^The result of a function run once must be plain JSON, or undefined, .*: \$/,
        ),
      })
    })
    expect(store.events).toEqual([])
    expect(await run(call, () => 1)).toEqual({ value: 1, replayed: false })
  })

  test('because it is too large throws response-too-large, and everything is undone', async () => {
    const { run } = jobs({ maxResultBytes: 10 })
    await expect(run(call, () => 'x'.repeat(9))).rejects.toMatchObject({
      code: 'response-too-large',
    })
    expect(await run(call, () => 'x'.repeat(8))).toMatchObject({ replayed: false })
  })

  test('in lease mode is given once, and gone afterwards', async () => {
    const { run } = jobs({ store: memoryStore({ mode: 'lease' }), maxResultBytes: 10 })
    expect(await run(call, () => 'x'.repeat(9))).toMatchObject({ replayed: false })
    await expect(run(call, () => 'x')).rejects.toMatchObject({ code: 'result-gone' })
  })
})

describe('a function that exceeds handlerTimeoutMs', () => {
  test('throws handler-timeout, its signal aborts, and its writes are undone', async () => {
    const store = memoryStore()
    const { run } = once({ store, namespace: 'jobs', handlerTimeoutMs: 10 })
    let signal: AbortSignal | undefined
    await expect(
      run(call, async (context) => {
        signal = context.signal
        const tx = await context.transaction()
        tx.set('invoice', 7)
        return new Promise(() => {})
      }),
    ).rejects.toMatchObject({ code: 'handler-timeout' })
    expect(signal?.aborted).toBe(true)
    expect(store.data.size).toBe(0)
  })

  test('throws handler-timeout even if it ends because its signal aborted', async () => {
    const undone = deferred<void>()
    const attempt: Partial<Attempt> = { abandon: () => undone.promise }
    const { run } = once({
      store: storeThat({ attempt }),
      namespace: 'jobs',
      handlerTimeoutMs: 10,
    })
    const result = run(
      call,
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new DOMException('This operation was aborted', 'AbortError'))
            setImmediate(undone.resolve)
          })
        }),
    )
    await expect(result).rejects.toMatchObject({
      code: 'handler-timeout',
      cause: { name: 'AbortError' },
    })
  })

  test('causes no unhandled rejection if it fails later', async () => {
    const late = deferred<void>()
    const unhandled: unknown[] = []
    const listen = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', listen)
    const { run } = jobs({ handlerTimeoutMs: 5 })
    await expect(
      run(call, async () => {
        await late.promise
        throw new Error('too late')
      }),
    ).rejects.toMatchObject({ code: 'handler-timeout' })
    late.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
  })
})

describe('a call that cannot be made', () => {
  test.each([[''], ['é'], ['a\nb'], ['k'.repeat(256)], [7], [undefined]])(
    'because its key is %j throws key-invalid',
    async (key) => {
      const store = storeThat()
      const { run } = once({ store, namespace: 'jobs' })
      await expect(run({ ...call, key: key as string }, () => 1)).rejects.toMatchObject({
        code: 'key-invalid',
        message: 'key must be 1 to 255 printable ASCII characters, the same for every retry.',
      })
      expect(store.claims).toEqual([])
    },
  )

  test('takes a key literally, with quotes, commas and spaces', async () => {
    const store = storeThat()
    const { run } = once({ store, namespace: 'jobs' })
    for (const key of ['"quoted"', 'topic,3,17', ' spaced ']) await run({ ...call, key }, () => 1)
    expect(store.claims.map(({ key }) => key)).toEqual(['"quoted"', 'topic,3,17', ' spaced '])
  })

  test.each([[''], [undefined], ['a\0b']])('because its scope is %j', async (scope) => {
    await expect(jobs().run({ ...call, scope: scope as string }, () => 1)).rejects.toMatchObject({
      code: 'scope-invalid',
    })
  })

  test('because the store cannot be reached: the cause is what the store threw', async () => {
    const cause = new Error('connect ECONNREFUSED')
    const store = storeThat({ begin: [() => Promise.reject(cause)] })
    await published('oncekey:error', async () => {
      await expect(once({ store, namespace: 'jobs' }).run(call, () => 1)).rejects.toMatchObject({
        code: 'store-unavailable',
        cause,
      })
    })
  })

  test('because the commit failed: the cause is what the store threw', async () => {
    const cause = new Error('socket hang up')
    const store = storeThat({ attempt: { complete: () => Promise.reject(cause) } })
    await published('oncekey:error', async () => {
      await expect(once({ store, namespace: 'jobs' }).run(call, () => 1)).rejects.toMatchObject({
        code: 'commit-failed',
        cause,
      })
    })
  })
})
