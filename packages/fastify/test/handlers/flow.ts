import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { later, look, seen, soon, type Table } from './answering.ts'

export const FLOW: Table = {
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
