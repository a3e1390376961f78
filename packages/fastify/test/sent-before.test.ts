import { memoryStore } from '@oncekey/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, fastifyVersions, post, until } from './app.ts'

/** Refuses, and does not say so to Fastify by returning the reply. */
async function refuses(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.headers['x-role'] === 'none') reply.code(403).send({ error: 'no' })
}

const later = async (_request: unknown, _reply: unknown, payload: unknown) => {
  await new Promise((resolve) => setImmediate(resolve))
  return payload
}

const GUARDS: Record<string, (app: FastifyInstance) => void> = {
  onRequest: (app) => app.addHook('onRequest', refuses),
  preValidation: (app) => app.addHook('preValidation', refuses),
  preHandler: (app) => app.addHook('preHandler', refuses),
}

const SLOW: Record<string, (app: FastifyInstance) => void> = {
  onSend: (app) => app.addHook('onSend', later),
  preSerialization: (app) => app.addHook('preSerialization', later),
}

describe.each(fastifyVersions)('%s: a refusal that an async hook still works on', (_, factory) => {
  // A bug: the claim found a record, and the refusal went out as the stored answer with its body.
  for (const [guard, addGuard] of Object.entries(GUARDS)) {
    for (const [slow, addSlow] of Object.entries(SLOW)) {
      for (const order of ['before', 'after'] as const) {
        test(`is sent as it is, by ${guard} and ${slow} added ${order} the plugin`, async () => {
          const app = bareApp({}, factory)
          const add = () => {
            addSlow(app)
            addGuard(app)
          }
          if (order === 'before') add()
          await app.register(idempotency, { store: memoryStore(), scope: 'dangerously-shared' })
          if (order === 'after') add()
          let runs = 0
          app.post('/x', async (_request, reply) => reply.code(201).send({ secret: ++runs }))
          const refused = { key: 'k', headers: { 'x-role': 'none' } }
          expect(await post(app, '/x', refused)).toMatchObject({ status: 403, body: NO })
          expect(runs).toBe(0)
          expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 201 })
          expect(await post(app, '/x', refused)).toMatchObject({ status: 403, body: NO })
          const again = await post(app, '/x', { key: 'k' })
          expect(again).toMatchObject({ status: 201, replayed: true, body: '{"secret":1}' })
        })
      }
    }
  }
})

const NO = '{"error":"no"}'

// A bug: the handler began when its client had been told 503, which was then kept as its answer.
test('a handler does not begin while a timeout of Fastify is answering for it', async () => {
  const store = memoryStore({ mode: 'lease' })
  let decide: (() => void) | undefined
  let isReleased = false
  const begin: typeof store.begin = async (claim) => {
    if (decide === undefined) {
      await new Promise<void>((resolve) => {
        decide = resolve
      })
    }
    const decision = await store.begin(claim)
    if (decision.kind !== 'run') return decision
    const { attempt } = decision
    const release: typeof attempt.release = async () => {
      await attempt.release()
      isReleased = true
    }
    return { ...decision, attempt: { ...attempt, release } }
  }
  const app = bareApp()
  app.addHook('onSend', async (_request, reply, payload) => {
    if (reply.statusCode !== 503) return payload
    decide?.()
    await until(() => isReleased)
    return payload
  })
  await app.register(idempotency, { store: { ...store, begin }, scope: 'dangerously-shared' })
  let runs = 0
  app.post('/x', { handlerTimeout: 20 }, async () => ({ runs: ++runs }))
  expect((await post(app, '/x', { key: 'k' })).status).toBe(503)
  expect(runs).toBe(0)
  expect((await post(app, '/x', { key: 'k' })).body).toBe('{"runs":1}')
})

// A bug: the error went out as a second answer while an async hook still worked on the first.
test('a claim that fails is silent while a timeout of Fastify is answering', async () => {
  let hasFailed = false
  const untilGivenUp = ({ signal }: FastifyRequest) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => {
        hasFailed = true
        reject(new Error('the look-up was given up'))
      })
    })
  const app = bareApp()
  const sent: number[] = []
  app.addHook('onSend', async (_request, reply, payload) => {
    sent.push(reply.statusCode)
    await until(() => hasFailed)
    // Until the claim has learned of it.
    await new Promise((resolve) => setImmediate(resolve))
    return payload
  })
  await app.register(idempotency, { store: memoryStore(), scope: untilGivenUp })
  app.post('/x', { handlerTimeout: 20 }, async () => 'never')
  const { status, body } = await post(app, '/x', { key: 'k' })
  expect({ status, sent }).toEqual({ status: 503, sent: [503] })
  expect(JSON.parse(body).code).toBe('FST_ERR_HANDLER_TIMEOUT')
})

test('a send that throws is none: what is sent after it goes out, and may be a replay', async () => {
  const app = bareApp()
  await app.register(idempotency, { store: memoryStore(), scope: 'dangerously-shared' })
  app.addHook('preHandler', async (_request, reply) => {
    reply.serializer(() => {
      throw new Error('a serializer of its own')
    })
    expect(() => reply.type('application/json').send('text')).toThrow(/of its own/)
    reply.serializer(JSON.stringify)
  })
  let runs = 0
  app.post('/x', async () => ({ runs: ++runs }))
  expect((await post(app, '/x', { key: 'k' })).body).toBe('{"runs":1}')
  expect((await post(app, '/x', { key: 'k' })).replayed).toBe(true)
})
