import { memoryStore } from '@oncekey/core'
import Fastify4 from 'fastify4'
import { expect, onTestFinished, test } from 'vitest'
import idempotency from '../src/index.ts'
import { post } from './app.ts'

test('a header that cannot be sent is an error reply on Fastify 4, too', async () => {
  const app = Fastify4({ forceCloseConnections: true })
  onTestFinished(() => app.close())
  await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
  app.post('/orders', async (_request, reply) => reply.header('x-bad', 'a\nb').send('never'))
  // An error that Fastify 4 meets after a hook that answers with a promise, it never hears of.
  for (const _ of [1, 2]) {
    expect(await post(app, '/orders', { key: 'k' })).toMatchObject({ status: 500, replayed: false })
  }
})
