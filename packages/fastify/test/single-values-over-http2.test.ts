import { once } from 'node:events'
import { connect } from 'node:http2'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { memoryStore } from '@oncekey/core'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { coveredApp, fastifyVersions, http2Server, post } from './app.ts'

// A bug: the answer was kept, and then neither it nor a replay could be sent.
test.each(fastifyVersions)(
  'what HTTP/2 cannot send is an error of %s, and nothing is kept',
  async (_, factory) => {
    const { app } = await coveredApp({ factory, server: http2Server })
    let runs = 0
    app.post('/x', async (_, reply) => {
      runs += 1
      return reply.header('content-language', ['de', 'en']).send({ id: 1 })
    })
    for (let n = 0; n < 2; n += 1) {
      const { status, body } = await over2(app)
      expect(status).toBe(500)
      expect(JSON.parse(body).code).toBe('ERR_HTTP2_HEADER_SINGLE_VALUE')
    }
    expect(runs).toBe(2)
  },
)

// A bug: the stream of such a response stayed open.
test.each(fastifyVersions)('a stream with such a head is closed by %s', async (_, factory) => {
  const { app } = await coveredApp({ factory, server: http2Server })
  const stream = new Readable({ read() {} })
  app.post('/x', async (_, reply) => reply.header('content-language', ['de', 'en']).send(stream))
  expect((await over2(app)).status).toBe(500)
  expect(stream.destroyed).toBe(true)
})

test.each(fastifyVersions)(
  'several lines of an answer over HTTP/1 are joined in a replay of %s over HTTP/2',
  async (_, factory) => {
    const store = memoryStore()
    const handler = async (_: unknown, reply: FastifyReply) =>
      reply.header('content-language', ['de', 'en']).header('x-own', ['1', '2']).send({ id: 1 })
    const { app: overHttp1 } = await coveredApp({ factory, store })
    overHttp1.post('/x', handler)
    const { app } = await coveredApp({ factory, store, server: http2Server })
    app.post('/x', handler)
    const first = await post(overHttp1, '/x', { key: 'k' })
    expect(first.headers['content-language']).toBe('de, en')
    const { headers, status, body } = await over2(app)
    expect([status, body]).toEqual([200, first.body])
    expect(headers['x-idempotency-replayed']).toBe('true')
    expect(headers['content-language']).toBe('de, en')
    expect(headers['x-own']).toBe('1, 2')
  },
)

async function over2(app: FastifyInstance) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(app.listeningOrigin)
  onTestFinished(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':path': '/x', 'idempotency-key': 'k' })
  stream.end()
  const [headers] = await once(stream, 'response')
  return { headers, status: headers[':status'], body: await text(stream) }
}
