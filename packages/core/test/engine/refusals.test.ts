import { describe, expect, test } from 'vitest'
import type { Decision } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { json, post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'
import { problemOf, runOf, text } from './handler-runs.ts'

describe('a key that cannot be used', () => {
  test.each([
    [
      'missing',
      undefined,
      'key-missing',
      'Send Idempotency-Key: a value of your own, new for every operation and the same on every retry of it.',
    ],
    ['empty', '', 'key-invalid', 'The Idempotency-Key header cannot be used: it is empty.'],
    [
      'sent twice',
      ['a', 'a'],
      'key-invalid',
      'The Idempotency-Key header cannot be used: the header was sent more than once.',
    ],
    [
      'a list',
      'a, b',
      'key-invalid',
      'The Idempotency-Key header cannot be used: it is a list; send one key.',
    ],
  ])('because it is %s is refused before the store is asked', async (_, key, code, detail) => {
    const store = storeThat()
    const asked: string[] = []
    const engine = createEngine({ store })
    const request = post(key, {
      fingerprintInput: () => {
        asked.push('fingerprint')
        throw new Error('no body was needed')
      },
    })
    const problem = await problemOf(engine, request)
    expect(problem).toMatchObject({ code, detail, response: { status: 400 } })
    expect(json(problem.response)).toMatchObject({ code, detail, retry: 'new-key' })
    expect(store.claims).toEqual([])
    expect(asked).toEqual([])
  })

  test('is named by the configured header in the problem', async () => {
    const engine = createEngine({ store: storeThat(), header: 'PayPal-Request-Id' })
    const problem = await problemOf(engine, post('not looked at'))
    expect(problem.detail).toMatch(/^Send PayPal-Request-Id: /)
  })

  test('is refused before the store is asked if validateKey rejects it', async () => {
    const store = storeThat()
    const engine = createEngine({ store, validateKey: (key) => /^[\da-f-]{36}$/.test(key) })
    expect(await problemOf(engine)).toMatchObject({
      code: 'key-invalid',
      detail: 'The key does not have the form that this API asks for.',
    })
    expect(store.claims).toEqual([])
  })
})

describe('a request without a key, where none is required', () => {
  test('has a context and a transaction, and leaves no record', async () => {
    const store = memoryStore()
    const engine = createEngine({ store, required: false })
    const run = await runOf(engine, post(undefined))
    const { context } = run
    expect(context).toMatchObject({ key: undefined, scope: 'customer-1', attempt: 1 })
    const tx = await context.transaction()
    tx.set('order', 1)
    context.emit({ type: 'order.created' })
    expect(await run.complete(response())).toEqual({ kind: 'send' })
    expect(store.data.get('order')).toBe(1)
    expect(store.events).toHaveLength(1)
  })

  test('derives keys that are the same within the request, and no other request has', async () => {
    const engine = createEngine({ store: memoryStore(), required: false })
    const [one, other] = [
      await runOf(engine, post(undefined)),
      await runOf(engine, post(undefined)),
    ]
    expect(one.context.deriveKey('charge')).toBe(one.context.deriveKey('charge'))
    expect(one.context.deriveKey('charge')).not.toBe(one.context.deriveKey('refund'))
    expect(one.context.deriveKey('charge')).not.toBe(other.context.deriveKey('charge'))
    await Promise.all([one.abandon(), other.abandon()])
  })

  test('gets 503 if the store cannot open an attempt', async () => {
    const open = async () => {
      throw new OncekeyError('store-busy', 'no connection within 2 s')
    }
    const engine = createEngine({ store: storeThat({ open }), required: false })
    const [error] = await published('oncekey:error', async () => {
      expect(await problemOf(engine, post(undefined))).toMatchObject({ code: 'store-busy' })
    })
    expect(error).toMatchObject({ key: undefined, during: 'begin', error: { code: 'store-busy' } })
  })

  // A bug: the client was told to send it again with the same key, which it had not, and when.
  test('must not be sent again if the outcome of its commit is open', async () => {
    const complete = async () => {
      throw new OncekeyError('commit-failed', 'the reply was lost')
    }
    const engine = createEngine({ store: storeThat({ attempt: { complete } }), required: false })
    const advice = async (key: string | undefined) => {
      const outcome = await (await runOf(engine, post(key))).complete(response())
      if (outcome.kind !== 'problem') throw new Error(outcome.kind)
      const { body, headers, status } = outcome.response
      const { retry, detail } = JSON.parse(Buffer.from(body).toString())
      return { status, retry, detail, after: headers.some(([name]) => name === 'retry-after') }
    }
    expect(await advice('k-1')).toMatchObject({ status: 503, retry: 'same-key', after: true })
    expect(await advice(undefined)).toEqual({
      status: 503,
      retry: 'never',
      detail: expect.stringMatching(/came without a key.*Look whether it took effect first\./),
      after: false,
    })
  })

  test('is answered with 503 after a commit that another request won, because it has no record to read', async () => {
    const store = storeThat({ attempt: { complete: async () => 'superseded' } })
    const engine = createEngine({ store, required: false })
    const run = await runOf(engine, post(undefined))
    expect(await run.complete(response())).toMatchObject({ code: 'commit-failed' })
    expect(store.claims).toEqual([])
  })
})

describe('a store’s decision', () => {
  test.each<[string, Decision, string, number, string]>([
    [
      'mismatch',
      { kind: 'mismatch' },
      'key-reused',
      422,
      'This key was used with another request: another body, path or method. Use a new key for a new request.',
    ],
    [
      'in-progress',
      { kind: 'in-progress', retryAfterMs: 2500 },
      'in-progress',
      409,
      'The first request with this key is still running. Send the same request again later.',
    ],
    [
      'unknown',
      { kind: 'unknown', attempt: '1', since: new Date(0) },
      'outcome-unknown',
      409,
      'The first request with this key was last seen on 1970-01-01T00:00:00.000Z. An operator has to find out what it did.',
    ],
    [
      'result-gone',
      { kind: 'result-gone' },
      'result-gone',
      410,
      'The request was answered once, with a success or a refusal, and the answer is not kept. It does not run again: read the current state.',
    ],
  ])('%s becomes a problem', async (_, decision, code, status, detail) => {
    const engine = createEngine({ store: storeThat({ begin: [() => decision] }) })
    expect(await problemOf(engine)).toMatchObject({ code, detail, response: { status } })
  })

  test('unknown includes the time, for the operator who has to investigate', async () => {
    const since = new Date(86_400_000)
    const begin = [() => ({ kind: 'unknown', attempt: '1', since }) as const]
    expect(await problemOf(createEngine({ store: storeThat({ begin }) }))).toMatchObject({ since })
  })

  test('in-progress includes Retry-After', async () => {
    const begin = [() => ({ kind: 'in-progress', retryAfterMs: 2500 }) as const]
    const { response } = await problemOf(createEngine({ store: storeThat({ begin }) }))
    expect(Object.fromEntries(response.headers)['retry-after']).toBe('3')
  })

  test('replay without a body breaks the contract: 503, and the handler does not run', async () => {
    const stored = { status: 200, headers: [], body: null, seal: null }
    const begin = [() => ({ kind: 'replay', response: stored, fingerprint: 'x' }) as const]
    const [error] = await published('oncekey:error', async () => {
      expect(await problemOf(createEngine({ store: storeThat({ begin }) }))).toMatchObject({
        code: 'store-unavailable',
      })
    })
    expect(error).toMatchObject({ error: { message: /result-gone/ } })
  })
})

describe('a store that throws on begin', () => {
  const throwing = (error: unknown) =>
    createEngine({
      store: storeThat({
        begin: [
          () => {
            throw error
          },
        ],
      }),
    })

  test('is answered with 503 and the handler does not run; the cause goes to operators only', async () => {
    const error = new Error('connect ECONNREFUSED 10.0.0.7:5432')
    const messages = await published('oncekey:error', async () => {
      const problem = await problemOf(throwing(error))
      expect(problem).toMatchObject({
        code: 'store-unavailable',
        detail:
          'The store that remembers requests cannot be reached, so the request was not run. Send it again later.',
        cause: error,
      })
      expect(text(problem.response.body)).not.toContain('10.0.0.7')
    })
    expect(messages).toEqual([
      {
        namespace: 'http',
        scope: 'customer-1',
        key: 'k-1',
        route: 'POST /orders',
        during: 'begin',
        error,
      },
    ])
  })

  test.each(['store-busy', 'store-unavailable', 'draining'] as const)(
    'with the code %s is answered with that',
    async (code) => {
      const problem = await problemOf(throwing(new OncekeyError(code, 'The pool is empty.')))
      expect(problem).toMatchObject({ code, response: { status: 503 } })
    },
  )

  test.each(['store-not-migrated', 'seal-key-missing'] as const)(
    'with the misuse code %s is rethrown to the app',
    async (code) => {
      const error = new OncekeyError(code, 'Run migrate().')
      await expect(throwing(error).begin(post('k-1'))).rejects.toBe(error)
    },
  )
})

describe('the route in messages', () => {
  const routeOf = async (differently: Parameters<typeof post>[1]) => {
    const engine = createEngine({ store: memoryStore() })
    const [message] = await published('oncekey:decision', async () => {
      await engine.begin(post('k-1', differently))
    })
    return (message as { route: string }).route
  }

  test('is the pattern that the router knows', async () => {
    expect(await routeOf({ target: '/orders/42', route: () => '/orders/:id' })).toBe(
      'POST /orders/:id',
    )
  })

  test.each([
    ['/orders/42/items?x=1', 'POST /orders/:id/items'],
    ['/v1/orders', 'POST /v1/orders'],
    ['/users/6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'POST /users/:id'],
  ])('is %s without its ids if no router provides it', async (target, route) => {
    expect(await routeOf({ target })).toBe(route)
  })
})
