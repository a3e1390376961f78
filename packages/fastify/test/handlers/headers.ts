import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Table } from './answering.ts'

export const HEADERS: Table = {
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
