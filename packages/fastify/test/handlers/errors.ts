import { Readable } from 'node:stream'
import { bytes, fails, soon, type Table } from './answering.ts'

export const ERRORS: Table = {
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
