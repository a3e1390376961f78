import { describe, expect, test } from 'vitest'
import type { Attempt } from '../../src/contracts/store.ts'
import { once } from '../../src/engine/once.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { deferred } from '../../src/time/deferred.ts'
import { published, warned } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'
import { call, jobs } from './once-jobs.ts'

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

const LONG = 'x'.repeat(1_001)

describe('a key that was answered, and not by the function', () => {
  // A bug: the call resolved with it, as with a result.
  test.each([
    ['a refusal', 409, '{"error":1}', 'status 409, which is no success', '{"error":1}'],
    ['a failure', 500, '', 'status 500, which is no success', ''],
    ['a word', 201, 'done', 'status 201, and with what is no JSON', 'done'],
    ['a long text', 200, LONG, 'status 200, and with what is no JSON', `${LONG.slice(1)}…`],
  ])('by an operator with %s throws no-result, each time', async (_, status, body, told, text) => {
    const store = memoryStore({ mode: 'lease' })
    const { run } = once({ store, namespace: 'jobs', whenUnknown: 'hold' })
    await expect(run(call, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    const name = { namespace: 'jobs', scope: call.scope, key: call.key }
    const bytes = new TextEncoder().encode(body)
    const response = { status, headers: [], body: bytes, seal: null }
    const act = { actor: 'ana', note: 'ticket 7' }
    expect(await store.keys.answer(name, response, act)).toBe('done')
    const work = () => 'ran'
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(run(call, work)).rejects.toMatchObject({
        code: 'no-result',
        message: `An operator or whenUnknown has answered this key with ${told}, so the call has no result: ${text}`,
      })
    }
  })

  test('by whenUnknown with a refusal throws no-result, now and later', async () => {
    const { run } = jobs({
      store: memoryStore({ mode: 'lease' }),
      whenUnknown: () => ({ status: 422, body: '{"declined":true}' }),
    })
    await expect(run(call, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(run(call, () => 'ran')).rejects.toMatchObject({ code: 'no-result' })
    }
  })

  test('with a success and JSON has its result', async () => {
    const { run } = jobs({
      store: memoryStore({ mode: 'lease' }),
      whenUnknown: () => ({ status: 201, body: '{"id":7}' }),
    })
    await expect(run(call, () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    expect(await run(call, () => 'ran')).toEqual({ value: { id: 7 }, replayed: true })
  })
})
