import { describe, expect, test } from 'vitest'
import type { Claim, Decision } from '../../src/contracts/store.ts'
import type { StoredResponse } from '../../src/contracts/stored-response.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { json, post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'

async function runOf<Tx>(engine: Engine<Tx>, request = post('k-1')): Promise<HandlerRun<Tx>> {
  const begun = await engine.begin(request)
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${JSON.stringify(begun)}`)
  return begun.run
}

async function problemOf<Tx>(engine: Engine<Tx>, request = post('k-1')) {
  const begun = await engine.begin(request)
  if (begun.kind !== 'problem') throw new Error(`expected a problem, got ${begun.kind}`)
  return begun
}

const text = (body: Uint8Array) => new TextDecoder().decode(body)

describe('a first request', () => {
  test('runs the handler and sends its own response', async () => {
    const engine = createEngine({ store: memoryStore() })
    const run = await runOf(engine)
    expect(run.context).toMatchObject({ key: 'k-1', scope: 'customer-1', attempt: 1 })
    expect(await run.complete(response())).toEqual({ kind: 'send' })
  })

  test('claims with the facts of the request and the options', async () => {
    const store = storeThat({ mode: 'lease' })
    const engine = createEngine({
      store,
      namespace: 'orders',
      leaseMs: 900,
      waitMs: 7,
      whenUnknown: 'hold',
    })
    const { signal } = new AbortController()
    const run = await runOf(engine, post('"k-1"', { signal }))
    await run.abandon()
    expect(store.claims).toEqual([
      {
        namespace: 'orders',
        scope: 'customer-1',
        key: 'k-1',
        fingerprints: [expect.stringMatching(/^json1:/)],
        token: expect.stringMatching(/^[\da-f-]{36}$/),
        leaseMs: 900,
        waitMs: 7,
        whenUnknown: 'hold',
        signal,
      },
    ])
  })

  test('covers the methods of its options and no other', () => {
    const { covers } = createEngine({ store: storeThat(), methods: ['post', 'DELETE'] })
    expect(['POST', 'DELETE', 'PATCH', 'GET', 'post', ''].filter(covers)).toEqual([
      'POST',
      'DELETE',
    ])
  })
})

describe('a retry', () => {
  test('of a finished request is replayed with a mark, without the headers that are never replayed', async () => {
    const engine = createEngine({ store: memoryStore() })
    const sent = response(201, '{"id":"o-1"}', [
      ['content-type', 'application/json'],
      ['Set-Cookie', 'session=1'],
      ['x-many', 'a'],
      ['x-many', 'b'],
      ['Date', 'today'],
      ['x-powered-by', null],
    ])
    await (await runOf(engine)).complete(sent)
    expect(await engine.begin(post('k-1'))).toEqual({
      kind: 'replay',
      response: {
        status: 201,
        headers: [
          ['content-type', 'application/json'],
          ['x-many', 'a'],
          ['x-many', 'b'],
          ['x-powered-by', null],
          ['X-Idempotency-Replayed', 'true'],
        ],
        body: expect.toSatisfy((body) => Buffer.compare(body, sent.body) === 0),
      },
    })
  })

  test('is marked with as many headers as the options name', async () => {
    const engine = createEngine({
      store: memoryStore(),
      replayedHeader: ['Idempotent-Replayed', 'X-Idempotency-Replayed'],
    })
    await (await runOf(engine)).complete(response(204, '', []))
    expect(await engine.begin(post('k-1'))).toMatchObject({
      response: {
        headers: [
          ['Idempotent-Replayed', 'true'],
          ['X-Idempotency-Replayed', 'true'],
        ],
      },
    })
  })

  test('matches with the key quoted or bare, and with any key order in its JSON', async () => {
    const engine = createEngine({ store: memoryStore() })
    await (await runOf(engine, post('k-1', { body: { a: 1, b: 2 } }))).complete(response())
    const begun = await engine.begin(post('"k-1"; p=1', { body: { b: 2, a: 1 } }))
    expect(begun.kind).toBe('replay')
  })

  test('of a running request gets 409, and another request under its key gets 422', async () => {
    const engine = createEngine({ store: memoryStore() })
    const run = await runOf(engine)
    expect(await problemOf(engine)).toMatchObject({ code: 'in-progress' })
    expect(await problemOf(engine, post('k-1', { body: 'other' }))).toMatchObject({
      code: 'key-reused',
    })
    await run.complete(response())
  })

  test.each([
    ['body', { body: { item: 'pen' } }],
    ['path', { target: '/refunds?dry=1' }],
    ['query', { target: '/orders' }],
    ['method', { method: 'PATCH' }],
  ])('with another %s gets 422, and the record is unchanged', async (_, differently) => {
    const engine = createEngine({ store: memoryStore() })
    await (await runOf(engine)).complete(response())
    expect(await problemOf(engine, post('k-1', differently))).toMatchObject({
      code: 'key-reused',
      response: { status: 422 },
    })
    expect((await engine.begin(post('k-1'))).kind).toBe('replay')
  })

  test('in another scope is a separate request', async () => {
    const engine = createEngine({ store: memoryStore() })
    await (await runOf(engine)).complete(response())
    const run = await runOf(engine, post('k-1', { scope: 'customer-2' }))
    await run.abandon()
  })

  test('at the same time as fifty others runs the handler once', async () => {
    const engine = createEngine({ store: memoryStore(), waitMs: 1000 })
    const begun = Array.from({ length: 50 }, () => engine.begin(post('k-1')))
    const first = await Promise.race(begun)
    if (first.kind !== 'run') throw new Error('expected a run')
    await first.run.complete(response())
    const kinds = (await Promise.all(begun)).map(({ kind }) => kind)
    expect(kinds.filter((kind) => kind === 'run')).toHaveLength(1)
    expect(kinds.filter((kind) => kind === 'replay')).toHaveLength(49)
  })
})

describe('claims that wait', () => {
  test('leave no listener behind by the hundred, and cause no warning of a leak', async () => {
    const warnings: string[] = []
    const listen = ({ name }: Error) => warnings.push(name)
    process.on('warning', listen)
    const waiting = createEngine({ store: memoryStore(), waitMs: 1000 })
    const run = await runOf(waiting)
    const begun = Array.from({ length: 100 }, () => waiting.begin(post('k-1')))
    await new Promise((resolve) => setImmediate(resolve))
    await run.complete(response())
    await Promise.all(begun)

    const store = storeThat()
    await (await runOf(createEngine({ store }))).abandon()
    const { signal } = store.claims[0] as Claim
    for (let i = 0; i < 100; i++) signal.addEventListener('abort', () => i)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})

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
      { kind: 'unknown', since: new Date(0) },
      'outcome-unknown',
      409,
      'The first request with this key was last seen on 1970-01-01T00:00:00.000Z. An operator has to find out what it did.',
    ],
    [
      'result-gone',
      { kind: 'result-gone' },
      'result-gone',
      410,
      'The request was carried out once; its response is not kept any more. Read the current state instead.',
    ],
  ])('%s becomes a problem', async (_, decision, code, status, detail) => {
    const engine = createEngine({ store: storeThat({ begin: [() => decision] }) })
    expect(await problemOf(engine)).toMatchObject({ code, detail, response: { status } })
  })

  test('unknown includes the time, for the operator who has to investigate', async () => {
    const since = new Date(86_400_000)
    const begin = [() => ({ kind: 'unknown', since }) as const]
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

describe('an error of the app', () => {
  test('while its body is described reaches the app', async () => {
    const engine = createEngine({ store: storeThat() })
    const unseen = post('k-1', {
      fingerprintInput: () => ({
        method: 'POST',
        target: '/',
        contentType: 'text/plain',
        body: { kind: 'unseen', hint: 'Mount a parser.' },
      }),
    })
    await expect(engine.begin(unseen)).rejects.toMatchObject({ code: 'body-unseen' })
  })

  test('in validateKey reaches the app', async () => {
    const error = new Error('a bug')
    const validateKey = () => {
      throw error
    }
    const engine = createEngine({ store: storeThat(), validateKey })
    await expect(engine.begin(post('k-1'))).rejects.toBe(error)
  })
})

describe('what the client sends as traceparent', () => {
  test('is put on events if it is valid', async () => {
    const store = memoryStore()
    const engine = createEngine({ store })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    for (const [key, header] of [
      ['k-1', traceparent],
      ['k-2', 'not a trace; drop table'],
    ] as const) {
      const run = await runOf(engine, post(key, { headers: { traceparent: header } }))
      run.context.emit({ type: 'a' })
      await run.complete(response())
    }
    expect(store.events.map(({ headers }) => headers)).toEqual([{ traceparent }, {}])
  })
})

describe('decisions', () => {
  test('are published with the facts of the request, its route without the query', async () => {
    const engine = createEngine({ store: memoryStore(), namespace: 'orders' })
    const messages = await published('oncekey:decision', async () => {
      await (await runOf(engine)).complete(response())
      await engine.begin(post('k-1'))
      await engine.begin(post('k-1', { body: 'other' }))
    })
    const facts = {
      namespace: 'orders',
      scope: 'customer-1',
      key: 'k-1',
      route: 'POST /orders',
    }
    expect(messages).toEqual([
      { ...facts, decision: 'run' },
      { ...facts, decision: 'replay' },
      { ...facts, decision: 'mismatch' },
    ])
  })
})

describe('with seal keys', () => {
  const k1 = new Uint8Array(32).fill(1)
  const k2 = new Uint8Array(32).fill(2)

  const seal = { current: 'k1', keys: { k1 } }

  test('only the status of a response is stored in the clear', async () => {
    const stored: StoredResponse[] = []
    const store = storeThat({
      attempt: {
        async complete(completion) {
          stored.push(completion.response)
          return 'stored'
        },
      },
    })
    const run = await runOf(createEngine({ store, seal }))
    await run.complete(response(201, 'card 4242', [['x-secret', '4242']]))
    expect(stored).toMatchObject([{ status: 201, headers: [], seal: 'k1' }])
    expect(Buffer.from(stored[0]?.body as Uint8Array).toString('latin1')).not.toContain('4242')
    expect(store.claims[0]?.fingerprints).toEqual([
      expect.stringMatching(/^json1\.k1:/),
      expect.stringMatching(/^json1:/),
    ])
  })

  test('a retry gets the original response', async () => {
    const engine = createEngine({ store: memoryStore(), seal })
    await (await runOf(engine)).complete(response(201, 'card 4242'))
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'replay') throw new Error(begun.kind)
    expect(text(begun.response.body)).toBe('card 4242')
    expect(begun.response.headers).toContainEqual(['content-type', 'application/json'])
  })

  test('a record that was tampered with or moved throws, and the handler does not run', async () => {
    const moved = { status: 200, headers: [], body: new Uint8Array(64), seal: 'k1' }
    const begin = [() => ({ kind: 'replay', response: moved, fingerprint: 'x' }) as const]
    const engine = createEngine({ store: storeThat({ begin }), seal })
    await expect(engine.begin(post('k-1'))).rejects.toMatchObject({ code: 'seal-broken' })
    const unsealing = createEngine({ store: storeThat({ begin }) })
    await expect(unsealing.begin(post('k-1'))).rejects.toMatchObject({ code: 'seal-key-missing' })
  })

  test.each([
    ['the same engine', { current: 'k1', keys: { k1 } }],
    ['one with the next key', { current: 'k2', keys: { k1, k2 } }],
  ])('a record whose seal was removed is not replayed by %s', async (_, keys) => {
    const store = memoryStore()
    await (await runOf(createEngine({ store, seal }))).complete(response(201, 'card 4242'))
    const taken = {
      ...store,
      async begin(claim: Claim) {
        const decision = await store.begin(claim)
        if (decision.kind !== 'replay') return decision
        const body = Buffer.from('forged')
        return { ...decision, response: { ...decision.response, body, seal: null } }
      },
    }
    await expect(createEngine({ store: taken, seal: keys }).begin(post('k-1'))).rejects.toThrow(
      expect.objectContaining({
        code: 'seal-broken',
        message: expect.stringMatching(/seal was removed/),
      }),
    )
  })

  test('a retry matches its record across the start of sealing and a key rotation', async () => {
    const store = memoryStore()
    const plain = createEngine({ store })
    const sealing = createEngine({ store, seal: { current: 'k1', keys: { k1 } } })
    const rotated = createEngine({ store, seal: { current: 'k2', keys: { k1, k2 } } })
    await (await runOf(plain, post('before'))).complete(response())
    await (await runOf(sealing, post('sealed'))).complete(response())
    expect((await sealing.begin(post('before'))).kind).toBe('replay')
    expect((await rotated.begin(post('before'))).kind).toBe('replay')
    expect((await rotated.begin(post('sealed'))).kind).toBe('replay')
  })

  test('an attempt taken over after a rotation is replayed', async () => {
    const store = memoryStore({ mode: 'lease' })
    const before = createEngine({ store, seal: { current: 'k1', keys: { k1 } } })
    const after = createEngine({ store, seal: { current: 'k2', keys: { k1, k2 } } })
    await (await runOf(before)).abandon()
    const run = await runOf(after)
    expect(run.context.attempt).toBe(2)
    await run.complete(response())
    expect((await after.begin(post('k-1'))).kind).toBe('replay')
  })

  test('a retry after its key was retired too early is refused, and not run again', async () => {
    const store = memoryStore()
    await (await runOf(createEngine({ store, seal }))).complete(response())
    const forgetful = createEngine({ store, seal: { current: 'k2', keys: { k2 } } })
    expect(await problemOf(forgetful)).toMatchObject({ code: 'key-reused' })
  })
})

describe('a record of an older release, whose fingerprints covered less', () => {
  const typed = (key: string, contentType: string) =>
    post(key, {
      fingerprintInput: () => ({
        method: 'POST',
        target: '/orders',
        contentType,
        body: { kind: 'parsed', value: { item: 'book' } },
      }),
    })

  test('is replayed, and its fingerprint is tried only after the current one does not match', async () => {
    const store = memoryStore()
    const asked: number[] = []
    const counting = {
      ...store,
      begin: (claim: Claim) => {
        asked.push(claim.fingerprints.length)
        return store.begin(claim)
      },
    }
    const engine = createEngine({ store: counting })
    // The older release stored any parameters under the fingerprint that this release uses for
    // none.
    const begun = await engine.begin(typed('k-1', 'application/json'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    await begun.run.complete(response())
    expect((await engine.begin(typed('k-1', 'application/json; v=1'))).kind).toBe('replay')
    expect(asked).toEqual([1, 1, 2])
  })

  test('does not match requests of this release: two versions are two requests', async () => {
    const engine = createEngine({ store: memoryStore() })
    const begun = await engine.begin(typed('k-1', 'application/json; v=1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    await begun.run.complete(response())
    expect(await engine.begin(typed('k-1', 'application/json; v=2'))).toMatchObject({
      code: 'key-reused',
    })
    expect(await engine.begin(typed('k-1', 'application/json'))).toMatchObject({
      code: 'key-reused',
    })
  })
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
