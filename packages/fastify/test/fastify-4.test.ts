import { memoryStore } from '@oncekey/core'
import Fastify4 from 'fastify4'
import { expect, onTestFinished, test } from 'vitest'
import idempotency from '../src/index.ts'
import { post } from './app.ts'

test('an invalid header causes an error reply on Fastify 4, too', async () => {
  const app = Fastify4({ forceCloseConnections: true })
  onTestFinished(() => app.close())
  await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
  app.post('/orders', async (_request, reply) => reply.header('x-bad', 'a\nb').send('never'))
  // Fastify 4 does not learn of an error that occurs after a hook that returned a promise.
  for (const _ of [1, 2]) {
    expect(await post(app, '/orders', { key: 'k' })).toMatchObject({ status: 500, replayed: false })
  }
})
