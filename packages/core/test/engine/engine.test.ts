import { describe, expect, test } from 'vitest'
import type { Claim, Store } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'
import { problemOf, runOf } from './handler-runs.ts'

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
        handlerTimeoutMs: 30_000,
        waitMs: 7,
        whenUnknown: 'hold',
        signal,
      },
    ])
  })

  test('without a key tells the store how long its handler may take', async () => {
    const asked: unknown[] = []
    const store: Store = {
      ...storeThat({ mode: 'lease' }),
      async open(options) {
        asked.push(options)
        return storeThat().attempt
      },
    }
    const engine = createEngine({
      store,
      required: false,
      leaseMs: 900,
      handlerTimeoutMs: 120_000,
    })
    await (await runOf(engine, { ...post('k'), header: () => [] })).abandon()
    expect(asked).toEqual([{ leaseMs: 900, handlerTimeoutMs: 120_000 }])
  })

  test('covers the methods of its options, also in lower case, and no other', () => {
    const { covers } = createEngine({ store: storeThat(), methods: ['post', 'DELETE'] })
    expect(['POST', 'DELETE', 'PATCH', 'GET', 'post', ''].filter(covers)).toEqual([
      'POST',
      'DELETE',
      'post',
    ])
  })

  // A bug: whoever forged a webhook sent it with PUT, and it was not checked.
  test('covers all but GET, HEAD and OPTIONS if it authenticates requests', () => {
    const { covers } = createEngine({
      store: storeThat(),
      methods: ['POST'],
      authenticate: () => {},
    })
    const methods = [
      'POST',
      'post',
      'PATCH',
      'PUT',
      'DELETE',
      'QUERY',
      'LOCK',
      'MADE-UP',
      'get',
      '',
    ]
    expect([...methods, 'GET', 'HEAD', 'OPTIONS'].filter(covers)).toEqual(methods)
  })

  test('in lower case is the same request, and is told of in upper case', async () => {
    const engine = createEngine({ store: memoryStore() })
    const inLower = { ...post('k-1'), method: 'post' }
    const fingerprintInput = async () => {
      const input = await post('k-1').fingerprintInput()
      return { ...input, method: 'post' }
    }
    const told = await published('oncekey:decision', async () => {
      const begun = await engine.begin({ ...inLower, fingerprintInput })
      if (begun.kind !== 'run') throw new Error(begun.kind)
      await begun.run.complete(response(201))
    })
    expect(told).toMatchObject([{ route: expect.stringMatching(/^POST /) }])
    expect(await engine.begin(post('k-1'))).toMatchObject({ kind: 'replay' })
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

  test('has no mark where the options name none', async () => {
    const engine = createEngine({ store: memoryStore(), replayedHeader: [] })
    await (await runOf(engine)).complete(response(204, '', []))
    expect(await engine.begin(post('k-1'))).toMatchObject({
      kind: 'replay',
      response: { headers: [] },
    })
  })

  test('has one mark, also of an answer that passed on the mark of another server', async () => {
    const engine = createEngine({ store: memoryStore() })
    const passedOn = response(200, 'x', [['x-idempotency-replayed', 'true']])
    await (await runOf(engine)).complete(passedOn)
    expect(await engine.begin(post('k-1'))).toMatchObject({
      response: { headers: [['X-Idempotency-Replayed', 'true']] },
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
