import { describe, expect, test } from 'vitest'
import type { Claim } from '../../src/contracts/store.ts'
import { once } from '../../src/engine/once.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { deferred } from '../../src/time/deferred.ts'
import { published } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'
import { call, jobs } from './once-jobs.ts'

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
