import { createReadStream } from 'node:fs'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import serveStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply, RouteHandlerMethod } from 'fastify'
import { describe, expect, test } from 'vitest'
import { bareApp, coveredApp, type Got, post } from './app.ts'

const folder = await mkdtemp(join(tmpdir(), 'oncekey-fastify-'))
await writeFile(join(folder, 'file.txt'), 'a file\n')

const later = () => new Promise((resolve) => setTimeout(resolve, 5))
const bytes = Buffer.from([0, 255, 254, 10, 128])

/** Handlers in the ways that Fastify knows of answering. */
const HANDLERS: Record<string, RouteHandlerMethod> = {
  'returns an object': async () => ({ id: 1, name: 'Käse ☕' }),
  'returns a string': async () => 'plain ☕',
  'returns a buffer': async () => bytes,
  'returns a typed array': async () => new Uint16Array([1, 2, 3]),
  'returns a number': async () => 42,
  'returns null': async () => null,
  'returns false': async () => false,
  'returns nothing': async () => {},
  'returns an empty string': async () => '',
  'returns an array': async () => [1, { two: 2 }],
  'is a callback': (_request, reply) => {
    reply.code(201).send({ id: 1 })
  },
  'is a callback, later': (_request, reply) => {
    setTimeout(() => reply.code(202).send({ id: 1 }), 5)
  },
  'is not async and returns': (() => ({ id: 1 })) as never,
  'sends and returns the reply': async (_request, reply) => {
    await later()
    return reply.code(201).send({ id: 1 })
  },
  'sends without returning': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
  },
  'sends, and returns later': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    await later()
  },
  'sends and returns something else': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    return { id: 2 }
  },
  'sends twice': async (_request, reply) => {
    reply.send({ id: 1 })
    reply.code(202).send({ id: 2 })
    return reply
  },
  'throws after it sent': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    throw new Error('too late')
  },
  'throws after it sent, later': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    await later()
    throw new Error('too late')
  },
  'changes its reply after it sent': async (_request, reply) => {
    reply.code(201).header('x-a', '1').send({ id: 1 })
    reply.code(203).header('x-a', '2').header('x-b', '2')
    return reply
  },
  'awaits its reply': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    await reply
  },
  throws: async () => {
    throw new Error('broken')
  },
  'throws with a status': async () => {
    throw Object.assign(new Error('declined'), { statusCode: 402, code: 'DECLINED' })
  },
  'throws at once': (() => {
    throw new Error('at once')
  }) as never,
  'sends an error': async (_request, reply) => reply.code(418).send(new Error('teapot')),
  redirects: async (_request, reply) => reply.redirect('/elsewhere'),
  'redirects with a status': async (_request, reply) => reply.redirect('/elsewhere', 303),
  'is empty with 204': async (_request, reply) => reply.code(204).send(),
  'has a body with 204': async (_request, reply) => reply.code(204).send({ id: 1 }),
  'is 304': async (_request, reply) => reply.code(304).header('etag', '"1"').send(),
  'is 404': async (_request, reply) => reply.callNotFound(),
  'has headers': async (_request, reply) =>
    reply
      .headers({ 'x-one': '1', 'x-number': 7, 'content-type': 'application/vnd.a+json' })
      .header('x-list', ['a', 'b'])
      .header('link', ['</a>; rel=next', '</b>; rel=prev'])
      .send({ id: 1 }),
  'sets cookies': async (_request, reply) =>
    reply.header('set-cookie', 'a=1').header('set-cookie', 'b=2').send('cookies'),
  'removes a header of the app': async (_request, reply) => {
    reply.removeHeader('x-app')
    return 'gone'
  },
  'changes a header of the app': async (_request, reply) =>
    reply.header('x-app', 'mine').send('ok'),
  'sets raw headers': async (_request, reply) => {
    reply.raw.setHeader('X-Raw', 'raw')
    return 'ok'
  },
  'has a status message': async (_request, reply) => {
    reply.raw.statusMessage = 'Fine'
    return 'ok'
  },
  'says its length': async (_request, reply) => reply.header('content-length', 2).send('ok'),
  'says a wrong length': async (_request, reply) => reply.header('content-length', 99).send('ok'),
  'has a serializer': async (_request, reply) =>
    reply
      .type('text/x')
      .serializer((it: { id: number }) => `<${it.id}>`)
      .send({ id: 1 }),
  'has a serializer of bytes': async (_request, reply) =>
    // Its type says string; Fastify sends bytes as they are.
    reply.serializer(() => bytes as never).send({ id: 1 }),
  streams: async (_request, reply) =>
    reply.type('text/plain').send(Readable.from(['a', 'b', 'ü'], { objectMode: false })),
  'streams no type': async () => Readable.from([bytes], { objectMode: false }),
  'streams nothing': async () => Readable.from([]),
  'streams of the web': async () => new Blob(['web ☕']).stream(),
  'answers a Response': async () =>
    new Response('of the web', {
      status: 203,
      headers: [
        ['x-a', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ],
    }),
  'answers an empty Response': async () => new Response(null, { status: 201 }),
  'sends a file': async (_request, reply) => reply.sendFile('file.txt'),
  'sends no file': async (_request, reply) => reply.sendFile('no-file.txt'),
  'streams what does not exist': async () => createReadStream(join(folder, 'no-file.txt')),
  'breaks before its first byte': async () =>
    new Readable({
      read() {
        this.destroy(Object.assign(new Error('source'), { statusCode: 502 }))
      },
    }),
  'has trailers': async (_request, reply) => {
    reply.trailer('x-digest', async (_reply: FastifyReply, payload: unknown) =>
      String(payload).length.toString(),
    )
    return reply.type('text/plain').send('with trailers')
  },
  'says a header that cannot be sent': async (_request, reply) =>
    reply.header('x-bad', 'a\nb').send('never'),
  'sends what cannot be sent': async (_request, reply) =>
    reply.type('text/plain').send({ an: 'object' }),
  'cannot be serialized': async () => {
    const circle: Record<string, unknown> = {}
    circle.circle = circle
    return circle
  },
}

async function furnish(app: FastifyInstance) {
  await app.register(helmet)
  await app.register(cors, { origin: true, credentials: true })
  await app.register(serveStatic, { root: folder })
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-app', 'app').header('set-cookie', 'app=1')
  })
  for (const [name, handler] of Object.entries(HANDLERS)) app.post(path(name), handler)
}

const path = (name: string) => `/${name.replaceAll(/\W/g, '-')}`

/** Framing is not the response: what is streamed bare is known whole once it was collected. */
function comparable({ status, reason, headers, bytes, trailers }: Got) {
  const { date: _date, 'transfer-encoding': chunked, 'content-length': length, ...rest } = headers
  const framed = chunked === undefined && length === undefined ? 'none' : 'some'
  return { status, reason, headers: rest, trailers, framed, body: bytes.toString('latin1') }
}

describe('a first response is that of Fastify without the plugin, and a replay is that one again', async () => {
  for (const name of Object.keys(HANDLERS)) {
    test(`a handler that ${name}`, async () => {
      const bare = bareApp()
      const { app } = await coveredApp({ disposition: { 500: 'refuse', 502: 'refuse' } })
      await furnish(bare)
      await furnish(app)
      const sent = { key: 'k', body: { a: 1 }, headers: { origin: 'https://shop.example' } }
      const expected = comparable(await post(bare, path(name), sent))
      const first = comparable(await post(app, path(name), sent))
      expect(first).toEqual(expected)

      if (name === 'says a header that cannot be sent') return
      const again = await post(app, path(name), sent)
      expect(again.replayed).toBe(true)
      const replay = comparable(again)
      const { 'x-idempotency-replayed': _mark, ...headers } = replay.headers
      const { trailer: _trailer, ...kept } = expected.headers
      expect({ ...replay, headers, framed: '', reason: '' }).toEqual({
        ...expected,
        headers: { ...kept, 'set-cookie': ['app=1'] },
        trailers: {},
        framed: '',
        reason: '',
      })
    })
  }
})

test('inject sees the same as a client', async () => {
  const { app } = await coveredApp()
  await furnish(app)
  for (const name of ['returns an object', 'streams', 'sends a file', 'is empty with 204']) {
    const headers = { 'idempotency-key': name }
    const send = () => app.inject({ method: 'POST', url: path(name), headers })
    const first = await send()
    const again = await send()
    expect(again.headers['x-idempotency-replayed']).toBe('true')
    expect(again.rawPayload.equals(first.rawPayload)).toBe(true)
    expect(again.statusCode).toBe(first.statusCode)
  }
})
