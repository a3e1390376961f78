import { memoryStore } from '@oncekey/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, post } from './app.ts'

async function auth(request: FastifyRequest, reply: FastifyReply) {
  // Really asynchronous, like a session lookup.
  await new Promise((resolve) => setImmediate(resolve))
  if (request.headers.authorization !== 'ana') return reply.code(401).send({ error: 'who?' })
}

const cover = (app: FastifyInstance) =>
  app.register(idempotency, { store: memoryStore(), scope: 'dangerously-shared' })
const secret = async () => ({ secret: 42 })
const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const
type Hook = (typeof HOOKS)[number]

/** A plugin that adds its check to every route, as rate limiters and guards do. */
function guard(app: FastifyInstance, hook: Hook, how: 'push' | 'replace') {
  app.addHook('onRoute', (route) => {
    const hooks = [route[hook] ?? []].flat()
    if (how === 'push' && Array.isArray(route[hook])) (route[hook] as unknown[]).push(auth)
    else (route as unknown as Record<string, unknown>)[hook] = [...hooks, auth]
  })
}

const WAYS: Record<string, (app: FastifyInstance, hook: Hook) => Promise<void>> = {
  async 'on the route'(app, hook) {
    await cover(app)
    app.post('/x', { [hook]: auth }, secret)
  },
  async 'in a list on the route'(app, hook) {
    await cover(app)
    app.post('/x', { [hook]: [async () => {}, auth] }, secret)
  },
  async 'on the instance, before the plugin'(app, hook) {
    app.addHook(hook as 'preHandler', auth)
    await cover(app)
    app.post('/x', secret)
  },
  async 'on the instance, after the plugin'(app, hook) {
    await cover(app)
    app.addHook(hook as 'preHandler', auth)
    app.post('/x', secret)
  },
  async 'on the instance, after the route'(app, hook) {
    await cover(app)
    app.post('/x', secret)
    app.addHook(hook as 'preHandler', auth)
  },
  async 'in a child, after the route'(app, hook) {
    await cover(app)
    await app.register(async (child) => {
      child.post('/x', secret)
      child.addHook(hook as 'preHandler', auth)
    })
  },
  async 'by a plugin through onRoute, before'(app, hook) {
    guard(app, hook, 'replace')
    await cover(app)
    app.post('/x', secret)
  },
  async 'by a plugin through onRoute, after'(app, hook) {
    await cover(app)
    guard(app, hook, 'replace')
    app.post('/x', secret)
  },
  async 'by a plugin that pushes through onRoute, after'(app, hook) {
    await cover(app)
    guard(app, hook, 'push')
    await app.register(async (child) => {
      child.post('/x', { [hook]: [async () => {}] }, secret)
    })
  },
}

describe('the store never answers a request that was not admitted [e8f 1, e8f 10]', () => {
  for (const [way, build] of Object.entries(WAYS)) {
    for (const hook of HOOKS) {
      test(`${hook} ${way}`, async () => {
        const app = bareApp()
        await build(app, hook)
        const ana = { key: 'k', body: {}, headers: { authorization: 'ana' } }
        expect(await post(app, '/x', { key: 'k', body: {} })).toMatchObject({ status: 401 })
        expect(await post(app, '/x', ana)).toMatchObject({ status: 200, replayed: false })
        expect(await post(app, '/x', { key: 'k', body: {} })).toMatchObject({
          status: 401,
          body: '{"error":"who?"}',
          replayed: false,
        })
        expect(await post(app, '/x', ana)).toMatchObject({ body: '{"secret":42}', replayed: true })
      })
    }
  }
})

test('responses of a guard, a parser, validation or the router are not stored', async () => {
  const app = bareApp()
  await cover(app)
  const schema = { body: { type: 'object', required: ['item'], properties: { item: {} } } }
  app.post('/x', { schema, preHandler: auth }, secret)
  const allowed = { authorization: 'ana' }
  for (const [status, path, body, headers] of [
    [404, '/y', {}, allowed],
    [415, '/x', '<x/>', { ...allowed, 'content-type': 'text/xml' }],
    [400, '/x', '{', allowed],
    [400, '/x', {}, allowed],
    [401, '/x', { item: 1 }, {}],
  ] as const) {
    const got = await post(app, path, { key: 'k', body, headers })
    expect(got).toMatchObject({ status, replayed: false })
  }
  const ana = { key: 'k', body: { item: 1 }, headers: allowed }
  expect(await post(app, '/x', ana)).toMatchObject({ status: 200, replayed: false })
  expect(await post(app, '/x', ana)).toMatchObject({ status: 200, replayed: true })
})

test('a request that validation refuses claims nothing', async () => {
  const store = memoryStore()
  let claims = 0
  const app = bareApp()
  await app.register(idempotency, {
    store: { ...store, begin: (claim) => store.begin(claim).finally(() => claims++) },
    scope: () => 'ana',
  })
  const schema = { body: { type: 'object', required: ['item'], properties: { item: {} } } }
  app.post('/x', { schema }, secret)
  expect((await post(app, '/x', { key: 'k', body: {} })).status).toBe(400)
  expect(claims).toBe(0)
  expect((await post(app, '/x', { key: 'k', body: { item: 1 } })).status).toBe(200)
})
