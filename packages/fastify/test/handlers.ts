import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Stream, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { FastifyReply, RouteHandlerMethod, RouteShorthandOptions } from 'fastify'
import FormData from 'form-data'
import through from 'through'

/** A handler that responds in one of the ways Fastify supports. */
export interface Answering {
  readonly handler: RouteHandlerMethod
  readonly route?: RouteShorthandOptions
  /** The client gets no complete response. */
  readonly breaks?: true
  /** Needs a plugin or a feature that only Fastify 5 has. */
  readonly only5?: true
  /** Node and Fastify leave parts behind of a head that they refuse to send. */
  readonly refused?: true
}

const folder = mkdtempSync(join(tmpdir(), 'oncekey-fastify-'))
writeFileSync(join(folder, 'file.txt'), 'a file\n')

export { folder }

/** What a handler sees of its own reply. */
export const seen: unknown[] = []

const look = ({ sent, raw }: FastifyReply) => {
  const { headersSent, writableEnded } = raw
  seen.push({ sent, headersSent, writableEnded })
}

const later = () => new Promise((resolve) => setTimeout(resolve, 5))
const soon = () => new Promise((resolve) => setImmediate(resolve))
const bytes = Buffer.from([0, 255, 254, 10, 128])
const fails = async () => {
  throw Object.assign(new Error('a hook'), { statusCode: 400 })
}

/** A stream as before `stream.Readable`: `pipe` and events only. */
function oldStream(parts: readonly string[], way?: 'close' | 'abort'): Stream {
  const stream = new Stream() as Stream & { readable: boolean; close?(): void; abort?(): void }
  stream.readable = true
  if (way !== undefined) stream[way] = () => {}
  setImmediate(() => {
    for (const part of parts) stream.emit('data', part)
    stream.emit('end')
    stream.emit('close')
  })
  return stream
}

function formData(): FormData {
  const form = new FormData()
  form.setBoundary('boundary')
  form.append('field', 'value')
  form.append('file', createReadStream(join(folder, 'file.txt')))
  return form
}

function throughOf(...parts: string[]) {
  const stream = through(function (chunk) {
    this.queue(`<${chunk}>`)
  })
  setImmediate(() => {
    for (const part of parts) stream.write(part)
    stream.end()
  })
  return stream
}

const sending = (payload: () => unknown): RouteHandlerMethod =>
  async function sending(_request, reply) {
    return reply.type('text/plain').send(payload())
  }

type Table = Record<string, RouteHandlerMethod | Answering>

const VALUES: Table = {
  'returns an object': async () => ({ id: 1, name: 'Käse ☕' }),
  'returns a string': async () => 'plain ☕',
  'returns a buffer': async () => bytes,
  'returns a typed array': async () => new Uint16Array([1, 2, 3]),
  'returns a part of a typed array': async () => new Uint8Array(bytes).subarray(1, 3),
  'returns an ArrayBuffer': async () => new ArrayBuffer(3),
  'returns a Blob': async () => new Blob(['blob']),
  'returns a number': async () => 42,
  'returns null': async () => null,
  'returns false': async () => false,
  'returns nothing': async () => {},
  'returns an empty string': async () => '',
  'returns an empty buffer': async () => Buffer.alloc(0),
  'returns an array': async () => [1, { two: 2 }],
  'returns a date': async () => new Date(0),
  'returns a bigint': async () => 1n,
  'returns a function': async () => () => 1,
  'returns a map': async () => new Map([['a', 1]]),
  'returns what has toJSON': async () => ({ toJSON: () => ({ id: 1 }) }),
  'sends undefined': async (_request, reply) => reply.code(202).send(undefined),
  'sends null': async (_request, reply) => reply.code(202).send(null),
  'sends null with a type': async (_request, reply) => reply.type('text/plain').send(null),
  'sends text of JSON': async (_request, reply) => reply.type('application/json').send('{"a":1}'),
  'sends an object of another JSON': async (_request, reply) =>
    reply.type('application/hal+json').send({ a: 1 }),
  'sends JSON of another charset': async (_request, reply) =>
    reply.type('application/json; charset=latin1').send({ a: 'ü' }),
  'is not async and returns': (() => ({ id: 1 })) as never,
  'echoes what came': async (request) => ({ got: request.body }),
}

const FLOW: Table = {
  'is a callback': (_request, reply) => {
    reply.code(201).send({ id: 1 })
  },
  'is a callback, later': (_request, reply) => {
    setTimeout(() => reply.code(202).send({ id: 1 }), 5)
  },
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
  'sends later, and returns the reply': async (_request, reply) => {
    setTimeout(() => reply.code(201).send({ id: 1 }), 5)
    return reply
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
  'throws at once after it sent': ((_request: unknown, reply: FastifyReply) => {
    reply.code(201).send({ id: 1 })
    throw new Error('too late')
  }) as never,
  'changes its reply after it sent': async (_request, reply) => {
    reply.code(201).header('x-a', '1').send({ id: 1 })
    reply.code(203).header('x-a', '2').header('x-b', '2')
    return reply
  },
  'awaits its reply': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    await reply
  },
  'looks whether it was sent': async (_request, reply) => {
    look(reply)
    reply.code(201).send('sent')
    look(reply)
    await soon()
    look(reply)
    return reply
  },
  'ends at a guard that has answered': async (_request, reply) => {
    reply.code(403).send({ no: 1 })
    if (reply.sent) return
    seen.push('went on')
  },
  'sets a raw header after it sent': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    try {
      reply.raw.setHeader('x-late', '1')
    } catch (error) {
      seen.push((error as NodeJS.ErrnoException).code)
    }
    return reply
  },
  'ends the raw response after it sent': async (_request, reply) => {
    reply.code(201).send({ id: 1 })
    reply.raw.end()
    return reply
  },
  'answers by a decorator': async (_request, reply) =>
    (reply as FastifyReply & { made(id: number): FastifyReply }).made(1),
  redirects: async (_request, reply) => reply.redirect('/elsewhere'),
  'redirects with a status': async (_request, reply) => reply.code(303).redirect('/elsewhere'),
  'is empty with 204': async (_request, reply) => reply.code(204).send(),
  'has a body with 204': async (_request, reply) => reply.code(204).send({ id: 1 }),
  'has a stream with 204': async (_request, reply) => reply.code(204).send(Readable.from(['a'])),
  'has a body with 205': async (_request, reply) => reply.code(205).send({ id: 1 }),
  'is 304': async (_request, reply) => reply.code(304).header('etag', '"1"').send(),
  'has a body with 304': async (_request, reply) => reply.code(304).send('body'),
  'is 404': async (_request, reply) => reply.callNotFound(),
  'is 404 and says so itself': async (_request, reply) => reply.code(404).send({ no: 1 }),
  'gives early hints': async (_request, reply) => {
    reply.raw.writeEarlyHints({ link: '</a.css>; rel=preload; as=style' })
    return 'hinted'
  },
  'has a timeout of Fastify that is not over': {
    only5: true,
    route: { handlerTimeout: 10_000 } as never,
    handler: async () => ({ id: 1 }),
  },
}

const HEADERS: Table = {
  'has headers': async (_request, reply) =>
    reply
      .headers({ 'x-one': '1', 'x-number': 7, 'content-type': 'application/vnd.a+json' })
      .header('x-list', ['a', 'b'])
      .header('link', ['</a>; rel=next', '</b>; rel=prev'])
      .send({ id: 1 }),
  'has an empty header': async (_request, reply) => reply.header('x-empty', '').send('ok'),
  'has a header of latin letters and text': async (_request, reply) =>
    reply.header('x-name', 'Zoë').send('text'),
  'has a header of latin letters and JSON': async (_request, reply) =>
    reply.header('x-name', 'Zoë').send({ id: 1 }),
  'has a header of latin letters and bytes': async (_request, reply) =>
    reply.header('x-name', 'Zoë').type('text/plain').send(Buffer.from('text')),
  'has a header of latin letters and a stream': async (_request, reply) =>
    reply
      .header('x-name', 'Zoë')
      .type('text/plain')
      .send(Readable.from(['text'])),
  'has a header of latin letters and no body': async (_request, reply) =>
    reply.header('x-name', 'Zoë').send(),
  'sets cookies': async (_request, reply) =>
    reply.header('set-cookie', 'a=1').header('set-cookie', 'b=2').send('cookies'),
  'sets cookies by a plugin': {
    only5: true,
    handler: async (_request, reply) => reply.setCookie('a', '1').setCookie('b', '2').send('ok'),
  },
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
  'sets the raw status': async (_request, reply) => {
    reply.raw.statusCode = 203
    return 'ok'
  },
  'says its length': async (_request, reply) => reply.header('content-length', 2).send('ok'),
  'says a wrong length': async (_request, reply) => reply.header('content-length', 99).send('ok'),
  'says the length of a stream': async (_request, reply) =>
    reply
      .header('content-length', 3)
      .type('text/plain')
      .send(Readable.from(['a', 'bc'])),
  'says that a stream is chunked': async (_request, reply) =>
    reply
      .header('transfer-encoding', 'chunked')
      .type('text/plain')
      .send(Readable.from(['a', 'bc'])),
  'has an empty coded body': async (_request, reply) =>
    reply.header('content-encoding', 'gzip').code(202).send(''),
  'has trailers': async (_request, reply) => {
    reply.trailer('x-digest', async (_reply: FastifyReply, payload: unknown) =>
      String(payload).length.toString(),
    )
    return reply.type('text/plain').send('with trailers')
  },
  'has trailers after a stream': {
    // Fastify 4 ends such a response before the trailers.
    only5: true,
    handler: async (_request, reply) => {
      reply.trailer('x-digest', async () => 'd')
      return reply.type('text/plain').send(Readable.from(['with ', 'trailers']))
    },
  },
  'has trailers and no body': async (_request, reply) => {
    reply.trailer('x-digest', async () => 'd')
    return reply.send()
  },
}

const STREAMS: Table = {
  streams: sending(() => Readable.from(['a', 'b', 'ü'], { objectMode: false })),
  'streams text in object mode': sending(() => Readable.from(['a', 'b', 'ü'])),
  'streams no type': async () => Readable.from([bytes], { objectMode: false }),
  'streams nothing': async () => Readable.from([]),
  'streams over time': sending(() => {
    const stream = new PassThrough()
    stream.write('a')
    setTimeout(() => stream.end('b'), 5)
    return stream
  }),
  'streams with an encoding': sending(() => {
    const stream = Readable.from([Buffer.from('hö'), Buffer.from('h')], { objectMode: false })
    return stream.setEncoding('utf8')
  }),
  'streams a generator that ends its transform': sending(() => {
    const gzip = createGzip()
    gzip.end('zipped')
    return gzip
  }),
  'streams a file': sending(() => createReadStream(join(folder, 'file.txt'))),
  'streams what was paused': sending(() => Readable.from(['a', 'b']).pause()),
  'streams an old stream': sending(() => oldStream(['a', 'ü'])),
  'streams an old stream that closes': sending(() => oldStream(['a', 'ü'], 'close')),
  'streams an old stream that aborts': sending(() => oldStream(['a', 'ü'], 'abort')),
  'streams through': sending(() => throughOf('a', 'b')),
  'streams a form': sending(formData),
  'streams of the web': async () => new Blob(['web ☕']).stream(),
  'streams of the web, in pieces': sending(
    () =>
      new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode('a'))
          await soon()
          controller.enqueue(new TextEncoder().encode('b'))
          controller.close()
        },
      }),
  ),
  'streams of the web that are locked': async () => {
    const { body } = new Response('a')
    body?.getReader()
    return body
  },
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
  'answers a Response of JSON': async () => Response.json({ id: 1 }, { status: 201 }),
  'answers a Response that redirects': async () => Response.redirect('http://x.example/', 303),
  'answers a Response that was read': async () => {
    const response = new Response('of the web')
    await response.text()
    return response
  },
  'answers a Response that is locked': async () => {
    const response = new Response('of the web')
    response.body?.getReader()
    return response
  },
  'sends a file': { only5: true, handler: async (_request, reply) => reply.sendFile('file.txt') },
  'sends a part of a file': {
    only5: true,
    handler: async (request, reply) => {
      request.raw.headers.range = 'bytes=1-3'
      return reply.sendFile('file.txt')
    },
  },
  'downloads a file': {
    only5: true,
    handler: async (_request, reply) => reply.download('file.txt', 'Datei ü.txt'),
  },
  'sends no file': { only5: true, handler: async (_request, reply) => reply.sendFile('no.txt') },
  'streams what does not exist': async () => createReadStream(join(folder, 'no-file.txt')),
  'streams what is destroyed': async () => {
    const stream = Readable.from(['a'])
    stream.destroy()
    return stream
  },
  'breaks before its first byte': async () =>
    new Readable({
      read() {
        this.destroy(Object.assign(new Error('source'), { statusCode: 502 }))
      },
    }),
  'streams what is not listened to': async () => ({ pipe() {} }),
}

const ERRORS: Table = {
  throws: async () => {
    throw new Error('broken')
  },
  'throws with a status': async () => {
    throw Object.assign(new Error('declined'), { statusCode: 402, code: 'DECLINED' })
  },
  'throws with headers': async () => {
    throw Object.assign(new Error('moved'), { statusCode: 410, headers: { 'x-where': 'there' } })
  },
  'throws a string': async () => {
    throw 'a string'
  },
  'throws an object': async () => {
    throw { statusCode: 409, message: 'conflict' }
  },
  'throws null': async () => {
    throw null
  },
  'throws at once': (() => {
    throw new Error('at once')
  }) as never,
  'throws after it set headers': async (_request, reply) => {
    reply.code(201).type('text/html').headers({ location: '/1', 'content-length': 3 })
    throw Object.assign(new Error('no'), { statusCode: 409 })
  },
  'sends an error': async (_request, reply) => reply.code(418).send(new Error('teapot')),
  'returns an error': async () => Object.assign(new Error('returned'), { statusCode: 410 }),
  'throws to a handler of its own': {
    route: {
      errorHandler: (error, _request, reply) =>
        void reply
          .code(409)
          .header('x-handled', '1')
          .send({ handled: (error as Error).message }),
    },
    handler: async () => {
      throw new Error('mine')
    },
  },
  'throws to an async handler of its own': {
    route: {
      errorHandler: async (error, _request, reply) => {
        await soon()
        reply.code(409)
        return { handled: (error as Error).message }
      },
    },
    handler: async () => {
      throw new Error('mine')
    },
  },
  'throws to a handler of its own that throws': {
    route: {
      errorHandler: () => {
        throw Object.assign(new Error('worse'), { statusCode: 409 })
      },
    },
    handler: async () => {
      throw new Error('mine')
    },
  },
  'throws to a handler of its own that sends an error': {
    route: {
      errorHandler: (_error, _request, reply) => void reply.code(409).send(new Error('other')),
    },
    handler: async () => {
      throw new Error('mine')
    },
  },
  'throws to a handler of its own that streams': {
    route: {
      errorHandler: (_error, _request, reply) =>
        void reply
          .code(409)
          .type('text/plain')
          .send(Readable.from(['streamed'])),
    },
    handler: async () => {
      throw new Error('mine')
    },
  },
  'throws, and is heard of': {
    route: {
      onError: async (_request, reply, error) =>
        void reply.header('x-error', (error as Error).message),
    },
    handler: async () => {
      throw Object.assign(new Error('heard'), { statusCode: 409 })
    },
  },
  'fails before its serialization': {
    route: { preSerialization: fails },
    handler: async () => ({}),
  },
  'fails before it is sent': {
    route: { onSend: fails },
    handler: async () => ({ id: 1 }),
  },
  'is changed before its serialization': {
    route: { preSerialization: async (_request, _reply, payload) => ({ wrapped: payload }) },
    handler: async () => ({ id: 1 }),
  },
  'is changed before it is sent': {
    route: {
      onSend: async (_request, reply, payload) => {
        reply.header('x-length', String(payload).length)
        return `[${payload}]`
      },
    },
    handler: async () => ({ id: 1 }),
  },
  'is made a stream before it is sent': {
    route: { onSend: async (_request, _reply, payload) => Readable.from([payload, '!']) },
    handler: async () => 'text',
  },
  'is made empty before it is sent': {
    route: { onSend: async () => null },
    handler: async () => 'text',
  },
  'is looked at before it is sent': {
    route: {
      onSend: async (_request, reply, payload) => {
        const seen = payload as { pipe?: unknown } | undefined
        reply.header('x-seen', typeof seen?.pipe === 'function' ? 'stream' : typeof seen)
        return payload
      },
    },
    handler: async () => Readable.from(['a']),
  },
  'is nothing, and looked at before it is sent': {
    route: {
      onSend: async (_request, reply, payload) => {
        reply.header('x-seen', String(payload))
        return payload
      },
    },
    handler: async () => {},
  },
  'is shaped by a schema': {
    route: {
      schema: { response: { 200: { type: 'object', properties: { id: { type: 'number' } } } } },
    },
    handler: async () => ({ id: 1, secret: 2 }),
  },
  'does not fit its schema': {
    route: {
      schema: {
        response: {
          200: { type: 'object', required: ['id'], properties: { id: { type: 'number' } } },
        },
      },
    },
    handler: async () => ({ no: 1 }),
  },
  'has a serializer': async (_request, reply) =>
    reply
      .type('text/x')
      .serializer((it: { id: number }) => `<${it.id}>`)
      .send({ id: 1 }),
  'has a serializer of bytes': async (_request, reply) =>
    // Its type says string, but Fastify sends bytes unchanged.
    reply.serializer(() => bytes as never).send({ id: 1 }),
  'has a serializer that throws': async (_request, reply) =>
    reply
      .serializer(() => {
        throw new Error('serializer')
      })
      .send({ id: 1 }),
  'has a serializer of nothing sendable': async (_request, reply) =>
    reply.serializer(() => ({ an: 'object' }) as never).send({ id: 1 }),
  'has a status that cannot be': async (_request, reply) => reply.code(1000).send('never'),
  'says a header that cannot be sent': {
    refused: true,
    handler: async (_request, reply) => reply.header('x-bad', 'a\nb').send('never'),
  },
  'sends what cannot be sent': async (_request, reply) =>
    reply.type('text/plain').send({ an: 'object' }),
  'cannot be serialized': async () => {
    const circle: Record<string, unknown> = {}
    circle.circle = circle
    return circle
  },
}

/** Bypasses Fastify. */
const RAW: Table = {
  'ends the raw response': (_request, reply) => {
    reply.raw.end('raw')
  },
  'ends the raw response, async': async (_request, reply) => {
    reply.raw.end('raw')
  },
  'ends the raw response with bytes': (_request, reply) => {
    reply.raw.end(bytes)
  },
  'ends the raw response with nothing': (_request, reply) => {
    reply.raw.statusCode = 202
    reply.raw.end()
  },
  'writes and ends the raw response': (_request, reply) => {
    reply.raw.write('r')
    reply.raw.end('aw')
  },
  'writes the raw response over time': async (_request, reply) => {
    reply.hijack()
    for (const part of ['a', 'b', 'c']) {
      reply.raw.write(part)
      await soon()
    }
    reply.raw.end()
  },
  'writes the raw head': (_request, reply) => {
    reply.raw.writeHead(201, { 'x-raw': '1', 'content-type': 'text/x' }).end('raw')
  },
  'writes the raw head with a reason': (_request, reply) => {
    reply.raw.writeHead(201, 'Made', { 'x-raw': ['1', '2'] }).end('raw')
  },
  'sets raw headers and ends': (_request, reply) => {
    reply.raw.statusCode = 201
    reply.raw.setHeader('x-raw', 'raw')
    reply.raw.appendHeader('set-cookie', 'raw=1')
    reply.raw.end('raw')
  },
  'sets both kinds of headers and ends': (_request, reply) => {
    reply.header('x-reply', '1')
    reply.raw.setHeader('x-raw', '1')
    reply.raw.end('raw')
  },
  'hands its headers to the raw head': (_request, reply) => {
    reply.raw.writeHead(201, reply.header('x-reply', '1').getHeaders() as Record<string, string>)
    reply.raw.end('raw')
  },
  'flushes raw headers': (_request, reply) => {
    reply.raw.flushHeaders()
    reply.raw.end('raw')
  },
  'hijacks and ends': (_request, reply) => {
    reply.hijack()
    reply.raw.end('raw')
  },
  'hijacks and ends later': async (_request, reply) => {
    reply.hijack()
    setTimeout(() => reply.raw.writeHead(201).end('raw'), 5)
  },
  'hijacks and returns something': async (_request, reply) => {
    reply.hijack()
    setTimeout(() => reply.raw.end('raw'), 5)
    return 'not this'
  },
  'hijacks and throws': async (_request, reply) => {
    reply.hijack()
    setTimeout(() => reply.raw.end('raw'), 5)
    throw new Error('not this')
  },
  'hijacks and sends': async (_request, reply) => {
    reply.hijack()
    reply.send('not this')
    reply.raw.end('raw')
  },
  'pipes into the raw response': (_request, reply) => {
    reply.hijack()
    Readable.from(['a', 'b', 'c']).pipe(reply.raw)
  },
  'pipes a file into the raw response': async (_request, reply) => {
    reply.hijack()
    await pipeline(createReadStream(join(folder, 'file.txt')), reply.raw)
  },
  'pipes the web into the raw response': async (_request, reply) => {
    reply.hijack()
    await new Blob(['web']).stream().pipeTo(Writable.toWeb(reply.raw))
  },
  'has raw trailers': (_request, reply) => {
    reply.hijack()
    reply.raw.setHeader('trailer', 'x-sum')
    reply.raw.write('abc')
    reply.raw.addTrailers({ 'x-sum': '3' })
    reply.raw.end()
  },
  'ends twice': (_request, reply) => {
    reply.raw.end('1')
    reply.raw.end()
  },
  'ends the raw response and sends': async (_request, reply) => {
    reply.raw.end('raw')
    return reply.send('not this')
  },
  'ends the raw response and returns something': async (_request, reply) => {
    reply.raw.end('raw')
    return 'not this'
  },
  'ends the raw response and throws': async (_request, reply) => {
    reply.raw.end('raw')
    throw new Error('too late')
  },
  'looks at a raw response that ended': async (_request, reply) => {
    look(reply)
    reply.raw.write('a')
    look(reply)
    reply.raw.end('b')
    look(reply)
    await soon()
    look(reply)
  },
  'writes the raw head, and sends a stream': async (_request, reply) => {
    reply.raw.writeHead(201, { 'x-raw': '1' })
    return reply.send(Readable.from(['streamed']))
  },
  'ends the raw response while its stream is read': async (_request, reply) => {
    const stream = new PassThrough()
    stream.write('a')
    reply.type('text/plain').send(stream)
    await later()
    reply.raw.end('b')
    await soon()
    return reply
  },
  'destroys the raw response': {
    breaks: true,
    handler: (_request, reply) => {
      reply.raw.destroy()
    },
  },
  'destroys the raw response half way': {
    breaks: true,
    handler: (_request, reply) => {
      reply.hijack()
      reply.raw.write('half')
      reply.raw.destroy()
    },
  },
  'destroys the connection': {
    breaks: true,
    handler: (request, reply) => {
      reply.hijack()
      request.raw.socket.destroy()
    },
  },
}

export const HANDLERS: Record<string, Answering> = Object.fromEntries(
  Object.entries({ ...VALUES, ...FLOW, ...HEADERS, ...STREAMS, ...ERRORS, ...RAW }).map(
    ([name, given]) => [name, typeof given === 'function' ? { handler: given } : given],
  ),
)
