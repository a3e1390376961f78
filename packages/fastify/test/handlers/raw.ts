import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { bytes, folder, later, look, soon, type Table } from './answering.ts'

/** Bypasses Fastify. */
export const RAW: Table = {
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
