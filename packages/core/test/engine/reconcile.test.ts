import { describe, expect, test } from 'vitest'
import type { Decision } from '../../src/contracts/store.ts'
import type {
  Reconciliation,
  UnknownOutcome,
  WhenUnknown,
} from '../../src/contracts/when-unknown.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { deriveKey } from '../../src/request/derive-key.ts'
import { post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { attemptThat, storeThat } from '../support/stores.ts'

const text = (body: Uint8Array) => new TextDecoder().decode(body)

/** An engine and a key whose first attempt was lost. */
async function afterALostAttempt(whenUnknown: WhenUnknown, options: object = {}) {
  const store = memoryStore({ mode: 'lease' })
  const lost = await createEngine({ store }).begin(post('k-1'))
  if (lost.kind !== 'run') throw new Error(lost.kind)
  await lost.run.abandon()
  return createEngine({ store, whenUnknown, ...options })
}

describe('an attempt that ended without reporting its outcome', () => {
  test('is run again by default, as attempt 2', async () => {
    const engine = await afterALostAttempt('retake')
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    expect(begun.run.context.attempt).toBe(2)
    await begun.run.complete(response())
    expect((await engine.begin(post('k-1'))).kind).toBe('replay')
  })

  test('is held for an operator with whenUnknown hold', async () => {
    const engine = await afterALostAttempt('hold')
    for (let i = 0; i < 2; i++) {
      expect(await engine.begin(post('k-1'))).toMatchObject({
        code: 'outcome-unknown',
        since: expect.any(Date),
        response: { status: 409 },
      })
    }
  })
})

describe('a whenUnknown function', () => {
  // A bug: Express and Fastify went on with the handler.
  test('that rejects without a reason is an error', async () => {
    const engine = await afterALostAttempt(() => Promise.reject())
    await expect(engine.begin(post('k-1'))).rejects.toMatchObject({ code: 'option-failed' })
  })

  test('gets the attempt and can derive the keys of its outside calls', async () => {
    const asked: UnknownOutcome[] = []
    const before = new Date()
    const engine = await afterALostAttempt((outcome) => {
      asked.push(outcome)
      return 'hold'
    })
    await engine.begin(post('k-1'))
    expect(asked).toMatchObject([{ namespace: 'http', scope: 'customer-1', key: 'k-1' }])
    expect(Number(asked[0]?.since)).toBeGreaterThanOrEqual(Math.floor(Number(before)))
    expect(asked[0]?.deriveKey('charge')).toBe(
      deriveKey({ namespace: 'http', scope: 'customer-1', key: 'k-1' }, 'charge'),
    )
  })

  test('is not called for keys whose outcome is known', async () => {
    const whenUnknown = () => {
      throw new Error('was asked')
    }
    const engine = createEngine({ store: memoryStore({ mode: 'lease' }), whenUnknown })
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    expect(await engine.begin(post('k-1'))).toMatchObject({ code: 'in-progress' })
    await begun.run.complete(response())
    expect((await engine.begin(post('k-1'))).kind).toBe('replay')
  })

  test("may find it still unclear: 'hold' answers 409", async () => {
    const engine = await afterALostAttempt(async () => 'hold' as const)
    expect(await engine.begin(post('k-1'))).toMatchObject({ code: 'outcome-unknown' })
  })

  test("may find that nothing happened: 'retake' runs the handler again", async () => {
    const engine = await afterALostAttempt(async () => 'retake' as const)
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    expect(begun.run.context.attempt).toBe(2)
    await begun.run.abandon()
  })

  test('may find the response: it is stored and answered, marked as a replay', async () => {
    const engine = await afterALostAttempt(() => ({
      status: 201,
      headers: { Location: '/orders/1', 'Set-Cookie': 'a=1' },
      body: '{"id":"o-1"}',
    }))
    const found = await engine.begin(post('k-1'))
    if (found.kind !== 'replay') throw new Error(found.kind)
    expect(found.response).toMatchObject({
      status: 201,
      headers: [
        ['location', '/orders/1'],
        ['set-cookie', 'a=1'],
        ['X-Idempotency-Replayed', 'true'],
      ],
    })
    const again = await engine.begin(post('k-1'))
    if (again.kind !== 'replay') throw new Error(again.kind)
    expect(again.response.headers).toEqual([
      ['location', '/orders/1'],
      ['X-Idempotency-Replayed', 'true'],
    ])
    expect([text(found.response.body), text(again.response.body)]).toEqual([
      '{"id":"o-1"}',
      '{"id":"o-1"}',
    ])
  })

  test.each([200, 402, 429, 500])(
    'may return a response of %i, which is stored whatever its status',
    async (status) => {
      let asked = 0
      const engine = await afterALostAttempt(() => {
        asked++
        return { status, body: new Uint8Array([1]) }
      })
      for (let i = 0; i < 2; i++) {
        expect(await engine.begin(post('k-1'))).toMatchObject({
          kind: 'replay',
          response: { status },
        })
      }
      expect(asked).toBe(1)
    },
  )

  test('may find a response without a body', async () => {
    const engine = await afterALostAttempt(() => ({ status: 204 }))
    expect(await engine.begin(post('k-1'))).toMatchObject({
      kind: 'replay',
      response: { status: 204, headers: [['X-Idempotency-Replayed', 'true']] },
    })
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['retry', '"retry"'],
    [{ body: 'x' }, "{ body: 'x' }"],
    [{ status: 99 }, '{ status: 99 }'],
    [{ status: '201' }, "{ status: '201' }"],
    [{ status: Number.NaN }, '{ status: NaN }'],
    [{ status: 402, headers: { a: 'No.\nReally.' } }, '{ status: 402, headers: [Object] }'],
    [{ status: 402, headers: { 'a b': '1' } }, '{ status: 402, headers: [Object] }'],
    [{ status: 200, body: { id: 1 } }, '{ status: 200, body: [Object] }'],
  ])(
    'cannot return %j: the error says what to return, and the key is not claimed',
    async (found, shown) => {
      const engine = await afterALostAttempt(() => found as Reconciliation)
      await expect(engine.begin(post('k-1'))).rejects.toMatchObject({
        code: 'options-invalid',
        message: expect.stringMatching(
          /^whenUnknown\(\) must return 'retake', 'hold' or \{ status, headers\?, body\? \}, where /,
        ),
      })
      await expect(engine.begin(post('k-1'))).rejects.toMatchObject({
        message: expect.stringContaining(`, not ${shown}.`),
      })
      await expect(engine.begin(post('k-1'))).rejects.toMatchObject({ code: 'options-invalid' })
      expect(await engine.drain({ deadlineMs: 0 })).toBe(0)
    },
  )

  test('may throw: the app gets its error, and the key is not claimed', async () => {
    const error = new Error('the gateway is down')
    let down = true
    const engine = await afterALostAttempt(() => {
      if (down) throw error
      return 'retake'
    })
    await expect(engine.begin(post('k-1'))).rejects.toBe(error)
    down = false
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    await begun.run.abandon()
    expect(await engine.drain()).toBe(0)
  })

  test('is called once for concurrent requests with one key, and all of them see its result', async () => {
    let asked = 0
    const engine = await afterALostAttempt(async () => {
      asked++
      await new Promise((resolve) => setImmediate(resolve))
      return { status: 201, body: 'found' }
    })
    const five = Array.from({ length: 5 }, () => engine.begin(post('k-1')))
    const answers = await Promise.all(five)
    expect(asked).toBe(1)
    expect(answers.map(({ kind }) => kind)).toEqual(Array(5).fill('replay'))
    expect((await engine.begin(post('k-1'))).kind).toBe('replay')
  })

  test('times out after handlerTimeoutMs, and the next request calls it again', async () => {
    let asked = 0
    const engine = await afterALostAttempt(
      () => {
        asked++
        return new Promise(() => {})
      },
      { handlerTimeoutMs: 5 },
    )
    const both = await Promise.allSettled([engine.begin(post('k-1')), engine.begin(post('k-1'))])
    expect(both).toMatchObject(
      Array(2).fill({ status: 'rejected', reason: { code: 'option-timeout' } }),
    )
    expect(asked).toBe(1)
    await expect(engine.begin(post('k-1'))).rejects.toMatchObject({ code: 'option-timeout' })
    expect(asked).toBe(2)
    expect(await engine.drain({ deadlineMs: 0 })).toBe(0)
  })

  const unknown: Decision = { kind: 'unknown', attempt: '1', since: new Date(0) }

  test('is ignored if another attempt has finished meanwhile', async () => {
    const response = { status: 200, headers: [], body: new Uint8Array(), seal: null }
    const store = storeThat({
      mode: 'lease',
      begin: [() => unknown, () => ({ kind: 'replay', response, fingerprint: 'x' })],
    })
    const engine = createEngine({ store, whenUnknown: () => ({ status: 201 }) })
    expect(await engine.begin(post('k-1'))).toMatchObject({
      kind: 'replay',
      response: { status: 200 },
    })
    expect(store.claims).toMatchObject([
      { whenUnknown: 'hold', retakes: undefined },
      { whenUnknown: 'retake', retakes: '1' },
    ])
  })

  test('returns a response that cannot be stored: 503, never a success', async () => {
    const attempt = attemptThat([], { complete: () => Promise.reject(new Error('gone')) })
    const store = storeThat({
      mode: 'lease',
      begin: [() => unknown, () => ({ kind: 'run', attempt })],
    })
    const engine = createEngine({ store, whenUnknown: () => ({ status: 201 }) })
    await published('oncekey:error', async () => {
      expect(await engine.begin(post('k-1'))).toMatchObject({ code: 'commit-failed' })
    })
    expect(await engine.drain()).toBe(0)
  })
})
