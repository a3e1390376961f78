import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { type MemoryTransaction, memoryStore } from '@oncekey/core'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { describe, expect, test } from 'vitest'
import { coveredApp, fastifyVersions, http2Client, http2Server, post, until } from './app.ts'

const modes = ['transaction', 'lease'] as const

describe('a reply that bypasses Fastify is stored and replayed like any other', () => {
  const WAYS = {
    'reply.hijack() and reply.raw.end()': (reply) => {
      reply.hijack()
      reply.raw.statusCode = 201
      reply.raw.end('raw')
    },
    'reply.hijack(), and raw later': (reply) => {
      reply.hijack()
      setTimeout(() => reply.raw.writeHead(201).end('raw'), 20)
    },
    'reply.raw.end() alone': (reply) => {
      reply.raw.statusCode = 201
      reply.raw.end('raw')
    },
    'reply.raw.write() and end()': (reply) => {
      reply.raw.statusCode = 201
      reply.raw.write('r')
      reply.raw.end('aw')
    },
    'a pipe': (reply) => {
      reply.raw.statusCode = 201
      reply.hijack()
      Readable.from(['r', 'a', 'w']).pipe(reply.raw)
    },
  } satisfies Record<string, (reply: FastifyReply) => void>

  function paying(app: FastifyInstance, answer: (reply: FastifyReply) => void, isAsync: boolean) {
    const runs: number[] = []
    app.post('/x', (request, reply) => {
      runs.push(1)
      const work = async () => {
        const tx = (await request.idempotency?.transaction()) as MemoryTransaction
        tx.set('row', runs.length)
        answer(reply)
      }
      return isAsync ? work() : void work()
    })
    return runs
  }

  for (const [version, factory] of fastifyVersions) {
    for (const [name, answer] of Object.entries(WAYS)) {
      for (const mode of modes) {
        for (const isAsync of [true, false]) {
          const how = isAsync ? 'async' : 'callback'
          test(`${name} (${version}, ${mode}, ${how})`, async () => {
            const { app, store } = await coveredApp({ factory, store: memoryStore({ mode }) })
            const runs = paying(app, answer, isAsync)
            for (const replayed of [false, true, true]) {
              const got = await post(app, '/x', { key: 'k' })
              expect(got).toMatchObject({ status: 201, body: 'raw', replayed })
            }
            expect(runs.length).toBe(1)
            expect(store.data.get('row')).toBe(1)

            const headers = { 'idempotency-key': 'i' }
            for (const replayed of [undefined, 'true']) {
              const got = await app.inject({ method: 'POST', url: '/x', headers })
              expect([got.statusCode, got.body]).toEqual([201, 'raw'])
              expect(got.headers['x-idempotency-replayed']).toBe(replayed)
            }
          })
        }
      }
    }
  }

  for (const [name, answer] of Object.entries(WAYS)) {
    test(`${name}, over HTTP/2`, async () => {
      const { app, store } = await coveredApp({ server: http2Server })
      const runs = paying(app, answer, true)
      const send = await http2Client(app)
      for (const replayed of [undefined, 'true']) {
        expect(await send('k')).toEqual([201, 'raw', replayed])
      }
      expect([runs.length, store.data.get('row')]).toEqual([1, 1])
    })

    test(`${name} is not sent if it could not be stored`, async () => {
      const memory = memoryStore()
      const { app } = await coveredApp({
        store: {
          ...memory,
          async begin(claim) {
            const decision = await memory.begin(claim)
            if (decision.kind !== 'run') return decision
            const complete = () => Promise.reject(new Error('lost'))
            return { ...decision, attempt: { ...decision.attempt, complete } }
          },
        },
      })
      app.addHook('onRequest', async (_request, reply) => void reply.header('x-app', 'app'))
      app.post('/x', async (_request, reply) => {
        reply.raw.setHeader('x-charge', 'ch_1')
        answer(reply)
      })
      const got = await post(app, '/x', { key: 'k' })
      expect(got.status).toBe(503)
      expect(JSON.parse(got.body).code).toBe('commit-failed')
      expect(got.headers['x-charge']).toBeUndefined()
      expect(got.headers['x-app']).toBe('app')
    })
  }

  for (const mode of modes) {
    test(`even if its client has hung up (${mode})`, async () => {
      const { app, store } = await coveredApp({ store: memoryStore({ mode }) })
      let runs = 0
      let release: (() => void) | undefined
      app.post('/x', (request, reply) => {
        runs += 1
        reply.hijack()
        release = async () => {
          const tx = (await request.idempotency?.transaction()) as MemoryTransaction
          tx.set('row', runs)
          reply.raw.writeHead(201).end('raw')
        }
      })
      const gone = new AbortController()
      const first = post(app, '/x', { key: 'k', signal: gone.signal })
      await until(() => release)
      gone.abort()
      await expect(first).rejects.toThrow()
      release?.()
      await until(async () => (await post(app, '/x', { key: 'k' })).status !== 409)
      expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 201, replayed: true })
      expect([runs, store.data.get('row')]).toEqual([1, 1])
    })
  }

  test.each(fastifyVersions)(
    'is given up at the timeout if it never ends: %s',
    async (_version, factory) => {
      const { app, store } = await coveredApp({ factory, handlerTimeoutMs: 30 })
      let runs = 0
      app.post('/x', async (request, reply) => {
        runs += 1
        if (runs > 1) return { runs }
        const tx = (await request.idempotency?.transaction()) as MemoryTransaction
        tx.set('row', 1)
        reply.hijack()
        reply.raw.setHeader('x-half', '1')
        reply.raw.write('half')
        return undefined
      })
      const got = await post(app, '/x', { key: 'k' })
      expect(got.status).toBe(503)
      expect(got.body).not.toContain('half')
      expect(got.headers['x-half']).toBeUndefined()
      expect(store.data.size).toBe(0)
      expect((await post(app, '/x', { key: 'k' })).body).toBe('{"runs":2}')
    },
  )

  test('is ignored if it is written after the handler was given up', async () => {
    const { app } = await coveredApp({ handlerTimeoutMs: 20 })
    let late = 0
    app.post('/x', (_request, reply) => {
      reply.hijack()
      setTimeout(() => {
        reply.raw.setHeader('x-late', '1')
        reply.raw.write('late')
        reply.raw.end()
        reply.raw.destroy()
        late += 1
      }, 60)
    })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(503)
    await until(() => late)
  })

  test.each(fastifyVersions)(
    'that ends while its stream is read behaves as in bare Fastify, and its source is closed (%s)',
    async (_version, factory) => {
      const source = new PassThrough()
      const { app } = await coveredApp({ factory, handlerTimeoutMs: 2_000 })
      app.post('/x', async (_request, reply) => {
        source.write('half')
        reply.type('text/plain').send(source)
        await new Promise((resolve) => setImmediate(resolve))
        reply.raw.end(' and out')
        return reply
      })
      for (const replayed of [false, true]) {
        const got = await post(app, '/x', { key: 'k' })
        expect(got).toMatchObject({ status: 200, body: 'half and out', replayed })
        expect(got.headers['content-type']).toBe('text/plain')
      }
      expect(source.destroyed).toBe(true)
    },
  )

  test.each(fastifyVersions)(
    'of an error that only Fastify itself can handle leaves the key free: %s',
    async (_version, factory) => {
      const { app } = await coveredApp({ factory })
      let runs = 0
      app.setErrorHandler(() => {
        throw new Error('the handler of errors')
      })
      app.post('/x', async () => {
        runs += 1
        if (runs === 1) throw new Error('no')
        return { runs }
      })
      expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
      expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 200, body: '{"runs":2}' })
    },
  )

  test('of a pipelined request that writes and then throws frees the key at once', async () => {
    const { app } = await coveredApp()
    let runs = 0
    app.post('/first', async () => {
      await until(() => runs)
      return 'first'
    })
    app.post('/second', async (_request, reply) => {
      runs += 1
      if (runs > 1) return 'again'
      reply.raw.write('half')
      throw new Error('no')
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const socket = connectSocket(port, '127.0.0.1')
    const head = (path: string) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: "${path}"\r\nContent-Length: 0\r\n\r\n`
    socket.resume()
    socket.write(head('/first') + head('/second'))
    await once(socket, 'close')
    expect((await post(app, '/second', { key: '"/second"' })).body).toBe('again')
  })
})
