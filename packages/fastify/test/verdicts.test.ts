import cors from '@fastify/cors'
import { type MemoryStore, memoryStore, type Store } from '@oncekey/core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, post } from './app.ts'

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
                // Anything that could leave has left once other requests were answered.
                for (let n = 0; n < 3; n += 1) await post(app, '/other', { method: 'GET' })
                order.push('kept')
                return decision.attempt.complete(completion)
              },
            },
          }
        },
      },
    })
    app.addHook('onRequest', async (request, reply) => {
      if (request.url !== '/x') return
      reply.raw.on('pipe', () => order.push('bytes'))
      const { writeHead } = reply.raw
      reply.raw.writeHead = (...given: never[]) => {
        order.push('bytes')
        return writeHead.apply(reply.raw, given as never)
      }
    })
    app.post('/x', async () => ({ id: 1 }))
    app.get('/other', async () => 'other')
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
