import { connect, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { type MemoryTransaction, memoryStore } from '@oncekey/core'
import type { FastifyInstance, FastifyReply, FastifyServerOptions } from 'fastify'
import { describe, expect, test } from 'vitest'
import { coveredApp, fastifyVersions } from './app.ts'

const server = { http2: true } as unknown as FastifyServerOptions
const HEAD = { ':status': 201, 'x-kind': 'own' }
const streamOf = ({ raw }: FastifyReply) => (raw as unknown as Http2ServerResponse).stream

const handlers: Record<string, (reply: FastifyReply) => unknown> = {
  'respond() and end(), hijacked': (reply) => {
    reply.hijack()
    streamOf(reply).respond(HEAD)
    streamOf(reply).end('answer')
  },
  'respond() and end(), not hijacked': async (reply) => {
    streamOf(reply).respond(HEAD)
    streamOf(reply).end('answer')
  },
  'write() and end(), later': (reply) => {
    reply.hijack()
    setImmediate(() => {
      streamOf(reply).respond(HEAD)
      streamOf(reply).write('ans')
      setImmediate(() => streamOf(reply).end('wer'))
    })
  },
  'a pipe': (reply) => {
    reply.hijack()
    streamOf(reply).respond(HEAD)
    Readable.from(['ans', 'wer']).pipe(streamOf(reply))
  },
  'a pipe alone': (reply) => {
    reply.hijack()
    reply.raw.statusCode = 201
    reply.raw.setHeader('x-kind', 'own')
    Readable.from(['ans', 'wer']).pipe(streamOf(reply))
  },
}

for (const [version, factory] of fastifyVersions) {
  describe(`a handler that answers on its HTTP/2 stream (${version}) by`, () => {
    test.each(Object.entries(handlers))('%s runs once, and is replayed', async (_, handler) => {
      for (const mode of ['transaction', 'lease'] as const) {
        const store = memoryStore({ mode })
        const { app } = await coveredApp({ server, factory, store })
        let runs = 0
        app.post('/', async (request, reply) => {
          runs += 1
          const tx = (await request.idempotency?.transaction()) as MemoryTransaction
          tx.set('row', 1)
          return handler(reply)
        })
        const first = { status: 201, kind: 'own', replayed: false, body: 'answer' }
        expect(await ask(app)).toEqual(first)
        expect(store.data.size).toBe(1)
        expect(await ask(app)).toEqual({ ...first, replayed: true })
        expect(runs).toBe(1)
      }
    })
  })
}

test('what a handler writes to its HTTP/2 stream after it sent is ignored', async () => {
  const { app } = await coveredApp({ server })
  app.post('/', async (_, reply) => {
    reply.code(201).header('x-kind', 'own').send('answer')
    setImmediate(() => streamOf(reply).write('more'))
    return reply
  })
  const first = { status: 201, kind: 'own', replayed: false, body: 'answer' }
  expect(await ask(app)).toEqual(first)
  expect(await ask(app)).toEqual({ ...first, replayed: true })
})

async function ask(app: FastifyInstance) {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  const asked = session.request({ ':method': 'POST', ':path': '/', 'idempotency-key': 'k' })
  const answer = { status: 0, kind: '', replayed: false, body: '' }
  asked.on('response', (headers) => {
    answer.status = headers[':status'] as number
    answer.kind = String(headers['x-kind'])
    answer.replayed = headers['x-idempotency-replayed'] !== undefined
  })
  asked.on('data', (chunk) => {
    answer.body += chunk
  })
  asked.end()
  await new Promise((resolve, reject) => asked.on('close', resolve).on('error', reject))
  session.close()
  return answer
}
