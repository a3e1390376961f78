import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import { type MemoryStore, memoryStore, type Store } from '@oncekey/core'
import type { FastifyInstance, FastifyReply, onSendHookHandler } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, fastifyVersions, post } from './app.ts'

/** A store whose attempts end as requested. */
function endingStore(end: () => Promise<'stored' | 'superseded'>, store = memoryStore()): Store {
  return {
    ...store,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      return { ...decision, attempt: { ...decision.attempt, complete: end } }
    },
  }
}

/** An app with its own headers and a handler that sets many. */
async function decorated(app: FastifyInstance) {
  await app.register(cors, { origin: 'https://shop.example' })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-app', 'app').header('set-cookie', 'app=1').header('x-gone', 'app')
    reply.raw.setHeader('x-raw-app', 'app')
  })
  app.post('/orders', async (_request, reply) => {
    reply.raw.statusMessage = 'Placed'
    reply.raw.setHeader('x-raw-app', 'handler')
    reply.removeHeader('x-gone')
    return reply
      .code(201)
      .headers({ location: '/orders/1', etag: '"1"', 'x-app': 'handler', 'content-length': 8 })
      .header('set-cookie', 'order=1')
      .send({ id: 1 })
  })
}

describe('a response that could not be stored is not sent', () => {
  const ends: Record<string, () => Promise<'superseded'>> = {
    'the store failed': () => Promise.reject(new Error('lost')),
    'another attempt won': async () => 'superseded',
  }
  for (const [name, end] of Object.entries(ends)) {
    test(`${name} is replaced by a problem, without any of its headers [e8f 4]`, async () => {
      const { app } = await coveredApp({ store: endingStore(end) })
      const errors: unknown[] = []
      app.addHook('onError', async (_request, _reply, error) => void errors.push(error))
      await decorated(app)
      const got = await post(app, '/orders', { key: 'k', body: {} })
      const {
        date,
        connection,
        'content-length': length,
        'retry-after': retryAfter,
        ...headers
      } = got.headers
      expect([date, connection, retryAfter]).not.toContain(undefined)
      expect(Number(length)).toBe(got.bytes.length)
      expect(got).toMatchObject({ replayed: false })
      expect(headers).toEqual({
        'access-control-allow-origin': 'https://shop.example',
        'cache-control': 'no-store',
        'content-type': 'application/problem+json',
        'x-app': 'app',
        'x-gone': 'app',
        'x-raw-app': 'app',
        'set-cookie': ['app=1'],
      })
      expect(JSON.parse(got.body).status).toBe(got.status)
      expect(got.reason).not.toBe('Placed')
      expect(errors).toEqual([])
    })
  }

  test('nor are its trailers sent with the problem', async () => {
    const { app } = await coveredApp({
      store: endingStore(() => Promise.reject(new Error('lost'))),
    })
    app.post('/x', async (_request, reply) => {
      reply.trailer('x-charge', async () => 'ch_1')
      return reply.code(201).send({ charge: 'ch_1' })
    })
    const got = await post(app, '/x', { key: 'k' })
    expect(got).toMatchObject({ status: 503, trailers: {} })
    expect(got.headers.trailer).toBeUndefined()
    expect(Number(got.headers['content-length'])).toBe(got.bytes.length)
  })

  test('but the stored response that superseded it is', async () => {
    const store: MemoryStore = memoryStore()
    const app1 = (await coveredApp({ store })).app
    await decorated(app1)
    // Between its claim and its completion the key expires, and another request finishes under it.
    let stolen = false
    const { app } = await coveredApp({
      store: {
        ...store,
        async begin(claim) {
          if (stolen) return store.begin(claim)
          stolen = true
          const decision = await store.begin({ ...claim, key: 'another' })
          if (decision.kind !== 'run') return decision
          return {
            ...decision,
            attempt: {
              ...decision.attempt,
              async complete() {
                await post(app1, '/orders', { key: 'k', body: {} })
                return 'superseded'
              },
            },
          }
        },
      },
    })
    app.post('/orders', async (_request, reply) =>
      reply.code(202).header('x-loser', '1').send({ id: 'loser' }),
    )
    const got = await post(app, '/orders', { key: 'k', body: {} })
    expect(got).toMatchObject({ status: 201, body: '{"id":1}', replayed: true })
    expect(got.headers).toMatchObject({ location: '/orders/1' })
    expect(got.headers['x-loser']).toBeUndefined()
  })

  test('nothing is sent before it is on record', async () => {
    const order: string[] = []
    const store = memoryStore()
    const { app } = await coveredApp({
      store: {
        ...store,
        async begin(claim) {
          const decision = await store.begin(claim)
          if (decision.kind !== 'run') return decision
          return {
            ...decision,
            attempt: {
              ...decision.attempt,
              async complete(completion) {
                await new Promise((resolve) => setTimeout(resolve, 20))
                order.push('kept')
                return decision.attempt.complete(completion)
              },
            },
          }
        },
      },
    })
    app.addHook('onRequest', async (_request, reply) => {
      reply.raw.on('pipe', () => order.push('bytes'))
      const { writeHead } = reply.raw
      reply.raw.writeHead = (...given: never[]) => {
        order.push('bytes')
        return writeHead.apply(reply.raw, given as never)
      }
    })
    app.post('/x', async () => ({ id: 1 }))
    await post(app, '/x', { key: 'k' })
    expect(order).toEqual(['kept', 'bytes'])
  })
})

describe('error replies have a disposition like any other response', () => {
  async function failing(statusCode: number, options = {}) {
    const { app, store } = await coveredApp(options)
    let runs = 0
    app.setErrorHandler((error, _request, reply) => {
      const { message, statusCode = 500 } = error as Error & { statusCode?: number }
      return reply.code(statusCode).header('x-handled', '1').send({ message, runs })
    })
    app.post('/x', async (request) => {
      runs += 1
      const tx = (await request.idempotency?.transaction()) as { set(k: string, v: unknown): void }
      tx.set('row', runs)
      throw Object.assign(new Error('no'), { statusCode })
    })
    return { app, store, send: () => post(app, '/x', { key: 'k' }) }
  }

  test('a 4xx of the error handler is stored and replayed, and its writes are undone', async () => {
    const { send, store } = await failing(402)
    expect(await send()).toMatchObject({ status: 402, body: '{"message":"no","runs":1}' })
    const again = await send()
    expect(again).toMatchObject({ status: 402, body: '{"message":"no","runs":1}', replayed: true })
    expect(again.headers['x-handled']).toBe('1')
    expect(store.data.size).toBe(0)
  })

  test('a 5xx leaves the key free', async () => {
    const { send, store } = await failing(502)
    expect(await send()).toMatchObject({ status: 502, body: '{"message":"no","runs":1}' })
    expect(await send()).toMatchObject({ status: 502, body: '{"message":"no","runs":2}' })
    expect(store.data.size).toBe(0)
  })

  test('a status that commits keeps the writes of a handler that threw', async () => {
    const { send, store } = await failing(402, { disposition: { 402: 'commit' } })
    await send()
    expect((await send()).replayed).toBe(true)
    expect(store.data.get('row')).toBe(1)
  })

  test('an error of a hook that runs before the response is stored becomes the response', async () => {
    const fail = async () => {
      throw Object.assign(new Error('no'), { statusCode: 400 })
    }
    const app = bareApp()
    app.addHook('onSend', async (_request, reply) => {
      if (reply.statusCode === 201) await fail()
    })
    await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
    app.post('/serialization', { preSerialization: fail }, async () => ({}))
    app.post('/send', async (_request, reply) => reply.code(201).send({}))
    for (const path of ['/serialization', '/send']) {
      const first = await post(app, path, { key: path })
      expect(first.status).toBe(400)
      const again = await post(app, path, { key: path })
      expect(again).toMatchObject({ status: 400, body: first.body, replayed: true })
    }
  })

  test('an error of a hook added after the plugin becomes the response, too', async () => {
    const { app, store } = await coveredApp()
    let fails = true
    app.addHook('onSend', async () => {
      if (fails) {
        fails = false
        throw new Error('a hook')
      }
    })
    let runs = 0
    app.post('/x', async (request) => {
      runs += 1
      const tx = (await request.idempotency?.transaction()) as { set(k: string, v: unknown): void }
      tx.set('row', runs)
      return { runs }
    })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
    expect(store.data.size).toBe(0)
    expect(await post(app, '/x', { key: 'k' })).toMatchObject({
      body: '{"runs":2}',
      replayed: false,
    })
    expect(await post(app, '/x', { key: 'k' })).toMatchObject({
      body: '{"runs":2}',
      replayed: true,
    })
  })

  test('an error handler that throws leaves nothing hanging and stores nothing', async () => {
    const { app } = await coveredApp()
    let runs = 0
    app.setErrorHandler(() => {
      throw new Error('the handler of errors')
    })
    app.post('/x', async () => {
      runs += 1
      throw new Error('no')
    })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
    expect(runs).toBe(2)
  })
})

describe.each(['before', 'after'])('onSend hooks added %s the plugin', (when) => {
  async function hooked(hook: onSendHookHandler<unknown>) {
    const app = bareApp()
    if (when === 'before') app.addHook('onSend', hook)
    await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
    if (when === 'after') app.addHook('onSend', hook)
    app.post('/x', async () => ({ id: 1 }))
    app.post('/bytes', async () => Buffer.from([255, 1]))
    return app
  }

  test('run once for the first response and once for a replay', async () => {
    const app = await hooked((_request, reply, payload, done) => {
      reply.header('x-times', Number(reply.getHeader('x-times') ?? 0) + 1)
      done(null, `[${payload}]`)
    })
    for (const replayed of [false, true, true]) {
      const got = await post(app, '/x', { key: 'k' })
      expect(got).toMatchObject({ body: '[{"id":1}]', replayed })
      expect(got.headers['x-times']).toBe('1')
    }
  })

  test('get text as text and bytes as bytes, in replays and problems too', async () => {
    const seen: unknown[] = []
    const app = await hooked((_request, _reply, payload, done) => {
      seen.push(payload)
      done()
    })
    await post(app, '/x', { key: 'k' })
    await post(app, '/x', { key: 'k' })
    const { body } = await post(app, '/x', { key: 'k', body: {} })
    await post(app, '/bytes', { key: 'b' })
    await post(app, '/bytes', { key: 'b' })
    const bytes = Buffer.from([255, 1])
    expect(seen).toEqual(['{"id":1}', '{"id":1}', body, bytes, bytes])
  })
})

describe('headers set outside the handler', () => {
  test('include a content type set by an onRequest hook, also on the replay', async () => {
    const { app } = await coveredApp()
    app.addHook('onRequest', async (_request, reply) => void reply.type('text/csv'))
    app.post('/x', async () => 'a,b')
    const first = await post(app, '/x', { key: 'k' })
    const again = await post(app, '/x', { key: 'k' })
    expect(again).toMatchObject({ body: 'a,b', replayed: true })
    expect(again.headers['content-type']).toBe(first.headers['content-type'])
    const reused = await post(app, '/x', { key: 'k', body: {} })
    expect(reused.headers['content-type']).toBe('application/problem+json')
  })

  test.each(['before', 'after'])(
    'include cookies of a plugin registered %s, which are stored if replayHeader says so',
    async (when) => {
      const app = bareApp()
      const replayHeader = (name: string) => (name === 'set-cookie' ? true : undefined)
      if (when === 'before') await app.register(cookie)
      await app.register(idempotency, { store: memoryStore(), scope: () => 'ana', replayHeader })
      if (when === 'after') await app.register(cookie)
      app.post('/x', async (_request, reply) => reply.setCookie('order', '1').send('ok'))
      for (const replayed of [false, true]) {
        const got = await post(app, '/x', { key: 'k' })
        expect(got).toMatchObject({ replayed })
        expect(got.headers['set-cookie']).toEqual(['order=1; SameSite=Lax'])
      }
    },
  )
})

describe('a handler that continues after sending', () => {
  test.each(fastifyVersions)(
    'sees its response as sent while the verdict is pending, and stops as it would (%s)',
    async (_version, factory) => {
      const { app, store } = await coveredApp({ factory, store: slowStore() })
      const charges: number[] = []
      const refuse = (reply: FastifyReply) => void reply.code(402).send({ no: 1 })
      app.post('/x', async (_request, reply) => {
        refuse(reply)
        await new Promise((resolve) => setImmediate(resolve))
        if (reply.sent) return
        charges.push(1)
      })
      expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 402, body: '{"no":1}' })
      expect(charges).toEqual([])
      expect(store).toBeDefined()
    },
  )

  test('may reuse its buffer: its old content is sent and stored', async () => {
    const { app } = await coveredApp({ store: slowStore() })
    app.post('/x', async (_request, reply) => {
      const buffer = Buffer.from('mine')
      reply.type('text/plain').send(buffer)
      await new Promise((resolve) => setImmediate(resolve))
      buffer.write('hers')
      return reply
    })
    for (const replayed of [false, true]) {
      expect(await post(app, '/x', { key: 'k' })).toMatchObject({ body: 'mine', replayed })
    }
  })
})

/** A store whose verdict takes as long as a round trip. */
function slowStore(): Store {
  const store = memoryStore()
  return {
    ...store,
    async begin(claim) {
      const decision = await store.begin(claim)
      if (decision.kind !== 'run') return decision
      const { attempt } = decision
      const complete: typeof attempt.complete = async (completion) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return attempt.complete(completion)
      }
      return { ...decision, attempt: { ...attempt, complete } }
    },
  }
}

describe('response schemas and serializers', () => {
  const response = {
    '2xx': { type: 'object', properties: { id: { type: 'number' } } },
    '4xx': { type: 'object', properties: { error: { type: 'string' } } },
    '5xx': { type: 'object', properties: { error: { type: 'string' } } },
  }

  test('shape the response once; a replay repeats it, and a problem is complete', async () => {
    const { app } = await coveredApp()
    app.post('/x', { schema: { response } }, async () => ({ id: 1, secret: 2 }))
    expect(await post(app, '/x', { key: 'k', body: {} })).toMatchObject({ body: '{"id":1}' })
    const again = await post(app, '/x', { key: 'k', body: {} })
    expect(again).toMatchObject({ body: '{"id":1}', replayed: true })
    const reused = await post(app, '/x', { key: 'k', body: { a: 1 } })
    expect(JSON.parse(reused.body)).toMatchObject({ status: 422, code: 'key-reused' })
  })

  test('of the app are applied to a response once', async () => {
    const { app } = await coveredApp()
    app.setSerializerCompiler(() => (data) => JSON.stringify({ compiled: data }))
    app.post('/compiled', { schema: { response } }, async () => ({ id: 1 }))
    app.register(async (child) => {
      child.setReplySerializer((payload) => JSON.stringify({ wrapped: payload }))
      child.post('/wrapped', async () => ({ id: 1 }))
    })
    for (const path of ['/compiled', '/wrapped']) {
      const first = await post(app, path, { key: path, body: {} })
      expect(first.body).toBe(`{"${path.slice(1)}":{"id":1}}`)
      expect(await post(app, path, { key: path, body: {} })).toMatchObject({
        body: first.body,
        replayed: true,
      })
      const reused = await post(app, path, { key: path, body: { a: 1 } })
      expect(JSON.parse(reused.body)).toMatchObject({ code: 'key-reused' })
    }
  })

  test('shape the response of a child app’s error handler, which is stored', async () => {
    const { app } = await coveredApp()
    app.register(async (child) => {
      child.setErrorHandler((error: Error, _request, reply) =>
        reply.code(409).send({ error: error.message, stack: 'of no concern' }),
      )
      child.post('/x', { schema: { response } }, async () => {
        throw new Error('sold out')
      })
    })
    for (const replayed of [false, true]) {
      const got = await post(app, '/x', { key: 'k', body: {} })
      expect(got).toMatchObject({ status: 409, body: '{"error":"sold out"}', replayed })
    }
  })
})
