import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { type MemoryTransaction, memoryStore } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import { coveredApp, post, until } from './app.ts'

const modes = ['transaction', 'lease'] as const

describe('a handler that exceeds its timeout', () => {
  test('is replaced by a 503, its headers and writes undone, its late reply ignored', async () => {
    const { app, store } = await coveredApp({ handlerTimeoutMs: 30 })
    const events: string[] = []
    app.addHook('onRequest', async (_request, reply) => void reply.header('x-app', 'app'))
    app.addHook('onResponse', async (_request, reply) => void events.push(`${reply.statusCode}`))
    let release: (() => void) | undefined
    let isOver = false
    let runs = 0
    app.post('/x', async (request, reply) => {
      runs += 1
      const { idempotency } = request
      const tx = (await idempotency?.transaction()) as MemoryTransaction
      tx.set('row', 1)
      reply.code(201).header('x-mine', '1').header('x-app', 'mine')
      if (runs > 1) return { id: runs }
      await new Promise<void>((resolve) => {
        release = resolve
      })
      events.push(String(idempotency?.signal.aborted))
      isOver = true
      return { id: runs }
    })
    const got = await post(app, '/x', { key: 'k' })
    expect(got).toMatchObject({ status: 503 })
    expect(JSON.parse(got.body).code).toBe('handler-timeout')
    expect(got.headers).toMatchObject({ 'x-app': 'app', 'retry-after': '1' })
    expect(got.headers['x-mine']).toBeUndefined()
    expect(Number(got.headers['content-length'])).toBe(got.bytes.length)
    await until(() => events.length > 0)
    release?.()
    await until(() => isOver)
    expect(store.data.size).toBe(0)
    expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 201, body: '{"id":2}' })
    expect((await post(app, '/x', { key: 'k' })).replayed).toBe(true)
    expect(events).toEqual(['503', 'true', '201', '201'])
  })

  test('has its late errors, callbacks and hijacking ignored as well', async () => {
    const { app } = await coveredApp({ handlerTimeoutMs: 20 })
    let done = 0
    const release: (() => void)[] = []
    app.post('/throws', async () => {
      await new Promise<void>((resolve) => release.push(resolve))
      done += 1
      throw new Error('late')
    })
    app.post('/sends', (_request, reply) => {
      release.push(() => {
        done += 1
        reply.code(201).send({ late: true })
        reply.send({ later: true })
      })
    })
    for (const path of ['/throws', '/sends']) {
      expect((await post(app, path, { key: path })).status).toBe(503)
      release.pop()?.()
    }
    await until(() => done === 2)
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('has its stalled stream cut off, and a 503 sent', async () => {
    const { app } = await coveredApp({ handlerTimeoutMs: 40 })
    const source = new PassThrough()
    app.post('/x', async (_request, reply) => {
      source.write('half')
      return reply.type('text/csv').send(source)
    })
    const got = await post(app, '/x', { key: 'k' })
    expect(got.status).toBe(503)
    expect(got.headers['content-type']).toBe('application/problem+json')
    expect(source.destroyed).toBe(true)
  })

  test("of Fastify's own is an error reply like any other", async () => {
    const { app } = await coveredApp()
    let runs = 0
    let release: (() => void) | undefined
    app.post('/x', { handlerTimeout: 30 }, async () => {
      runs += 1
      if (runs > 1) return { runs }
      return new Promise((resolve) => {
        release = () => resolve({ runs })
      })
    })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(503)
    release?.()
    expect((await post(app, '/x', { key: 'k' })).body).toBe('{"runs":2}')
  })
})

test('has its key released if the claim came too late for it to run', async () => {
  const store = memoryStore({ mode: 'lease' })
  let begun: (() => void) | undefined
  let isReleased = false
  const { app } = await coveredApp({
    store: {
      ...store,
      async begin(claim) {
        if (begun !== undefined) return store.begin(claim)
        await new Promise<void>((resolve) => {
          begun = resolve
        })
        const decision = await store.begin(claim)
        if (decision.kind !== 'run') return decision
        const { attempt } = decision
        const release: typeof attempt.release = async () => {
          await attempt.release()
          isReleased = true
        }
        return { ...decision, attempt: { ...attempt, release } }
      },
    },
  })
  let runs = 0
  app.post('/x', { handlerTimeout: 20 }, async () => ({ runs: ++runs }))
  expect((await post(app, '/x', { key: 'k' })).status).toBe(503)
  begun?.()
  await until(() => isReleased)
  expect((await post(app, '/x', { key: 'k' })).body).toBe('{"runs":1}')
})

describe('a client that hangs up', () => {
  for (const mode of modes) {
    for (const [name, answer] of Object.entries({
      returns: { id: 1 },
      'returns nothing': undefined,
    })) {
      test(`does not stop a handler that ${name}, and its result is stored (${mode})`, async () => {
        const { app, store } = await coveredApp({ store: memoryStore({ mode }) })
        let runs = 0
        let release: (() => void) | undefined
        let raw: ServerResponse | undefined
        app.post('/x', async (request, reply) => {
          runs += 1
          raw = reply.raw
          const tx = (await request.idempotency?.transaction()) as MemoryTransaction
          await new Promise<void>((resolve) => {
            release = resolve
          })
          tx.set('row', 1)
          reply.code(answer === undefined ? 204 : 201)
          return answer
        })
        const gone = new AbortController()
        const first = post(app, '/x', { key: 'k', signal: gone.signal })
        await until(() => release)
        gone.abort()
        await expect(first).rejects.toThrow()
        await until(() => raw?.destroyed)
        expect((await post(app, '/x', { key: 'k' })).status).toBe(409)
        release?.()
        await until(async () => (await post(app, '/x', { key: 'k' })).status !== 409)
        expect(await post(app, '/x', { key: 'k' })).toMatchObject({ replayed: true })
        expect(runs).toBe(1)
        expect(store.data.get('row')).toBe(1)
      })
    }
  }

  // A bug: nobody heard that it had gone, so a handler that returned nothing was never answered.
  for (const mode of modes) {
    test(`while its key is claimed has the result of a handler that returns nothing stored (${mode})`, async () => {
      const store = memoryStore({ mode })
      let claim: (() => void) | undefined
      const begin: typeof store.begin = async (given) => {
        if (claim === undefined) {
          await new Promise<void>((resolve) => {
            claim = resolve
          })
        }
        return store.begin(given)
      }
      const { app } = await coveredApp({ store: { ...store, begin } })
      let raw: ServerResponse | undefined
      let runs = 0
      app.addHook('preHandler', async (_request, reply) => {
        raw ??= reply.raw
      })
      app.post('/x', async (request, reply) => {
        runs += 1
        const tx = (await request.idempotency?.transaction()) as MemoryTransaction
        tx.set('row', runs)
        reply.code(204)
      })
      const gone = new AbortController()
      const first = expect(post(app, '/x', { key: 'k', signal: gone.signal })).rejects.toThrow()
      await until(() => claim)
      gone.abort()
      await first
      await until(() => raw?.destroyed && raw.closed)
      claim?.()
      await until(async () => (await post(app, '/x', { key: 'k' })).status !== 409)
      expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 204, replayed: true })
      expect([runs, store.data.get('row')]).toEqual([1, 1])
    })
  }

  test('does not stop a callback, and an error stays an error', async () => {
    const { app } = await coveredApp()
    const release: (() => void)[] = []
    let raw: ServerResponse | undefined
    app.post('/sends', (_request, reply) => {
      raw = reply.raw
      release.push(() => reply.send({ id: 1 }))
    })
    app.post('/throws', async (_request, reply) => {
      raw = reply.raw
      await new Promise<void>((resolve) => release.push(resolve))
      throw Object.assign(new Error('no'), { statusCode: 404 })
    })
    for (const [path, status] of [
      ['/sends', 200],
      ['/throws', 404],
    ] as const) {
      const gone = new AbortController()
      const first = post(app, path, { key: path, signal: gone.signal })
      await until(() => release.length)
      gone.abort()
      await expect(first).rejects.toThrow()
      await until(() => raw?.destroyed)
      release.pop()?.()
      await until(async () => (await post(app, path, { key: path })).replayed)
      expect((await post(app, path, { key: path })).status).toBe(status)
    }
  })

  test('while waiting for another attempt stops waiting', async () => {
    const store = memoryStore()
    let asked = 0
    const begin: typeof store.begin = (claim) => {
      asked += 1
      return store.begin(claim)
    }
    const { app } = await coveredApp({ store: { ...store, begin }, waitMs: 60_000 })
    let release: (() => void) | undefined
    app.post('/x', async () => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      return 'ok'
    })
    const first = post(app, '/x', { key: 'k' })
    await until(() => release)
    const gone = new AbortController()
    const second = post(app, '/x', { key: 'k', signal: gone.signal })
    const refused = expect(second).rejects.toThrow()
    await until(() => asked === 2)
    gone.abort()
    await refused
    const third = post(app, '/x', { key: 'k' })
    release?.()
    expect((await first).body).toBe('ok')
    expect(await third).toMatchObject({ body: 'ok', replayed: true })
  })

  // A bug: it waited for as long as `waitMs` says.
  test('before its claim does not wait', async () => {
    const store = memoryStore()
    let isGone: boolean | undefined
    const begin: typeof store.begin = (claim) => {
      isGone = claim.signal.aborted
      return store.begin(claim)
    }
    const { app } = await coveredApp({ store: { ...store, begin }, waitMs: 60_000 })
    let raw: ServerResponse | undefined
    app.addHook('preHandler', async (_request, reply) => {
      raw = reply.raw
      await until(() => reply.raw.destroyed)
    })
    app.post('/x', async () => 'ok')
    const gone = new AbortController()
    const first = expect(post(app, '/x', { key: 'k', signal: gone.signal })).rejects.toThrow()
    await until(() => raw)
    gone.abort()
    await first
    await until(() => isGone !== undefined)
    expect(isGone).toBe(true)
  })
})
