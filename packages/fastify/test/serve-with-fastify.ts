import type { Http2Server } from 'node:http2'
import { Readable } from 'node:stream'
import type { Call, CallStream, Reply, ServedSite, ServeSite, Site } from '@oncekey/conformance'
import idempotency, { type IdempotencyOptions } from '@oncekey/fastify'
import type { FastifyReply, FastifyRequest, fastify } from 'fastify'
import { frontOf } from '../../node/test/http2-front.ts'

/** Runs Fastify 4 and 5 through the adapter contract. */
export function serveWith(Fastify: typeof fastify): ServeSite {
  return (site) => serve(Fastify, site)
}

/** The same over HTTP/2, behind a proxy that speaks HTTP/1.1 to the suite. */
export function serveOverHttp2With(Fastify: typeof fastify): ServeSite {
  return (site) => serve(Fastify, site, true)
}

async function serve(Fastify: typeof fastify, site: Site, isHttp2 = false): Promise<ServedSite> {
  const { scope, fingerprint } = site
  const once = idempotency.with({
    ...site.options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string'
          ? scope
          : (request: FastifyRequest) =>
              scope((name) => request.headers[name] as string | undefined),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: ({ body }: FastifyRequest) => fingerprint(body),
    }),
  } as IdempotencyOptions)

  const app = Fastify({ forceCloseConnections: true, ...(isHttp2 && { http2: true as never }) })
  app.addHook('onRequest', async (_, reply) => {
    reply.headers(site.outside())
  })
  app.setErrorHandler((error: { code?: unknown; message: string }, _, reply) =>
    reply.code(500).send({ error: error.code ?? error.message }),
  )
  await app.register(once)
  for (const { method, path, handler } of site.routes) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => send(reply, await handler(callOf(request, reply))),
    })
  }

  const callOf = (request: FastifyRequest, reply: FastifyReply): Call => ({
    get context() {
      return once.of(request)
    },
    body: request.body,
    get stream() {
      return (reply.raw as { stream?: CallStream }).stream
    },
    response: reply.raw,
  })

  if (isHttp2) {
    await app.ready()
    const { url, close } = await frontOf(app.server as unknown as Http2Server)
    return { url, drain: once.drain, close: () => close().then(() => app.close()) }
  }
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    url,
    drain: once.drain,
    closeIdle: () => app.server.closeIdleConnections(),
    close: () => app.close(),
  }
}

function send(reply: FastifyReply, answer: Reply): FastifyReply {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = answer
  reply.code(status)
  for (const name of removed) reply.removeHeader(name)
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    reply.header(name, values.length === 1 ? values[0] : values)
  }
  switch (body.kind) {
    case 'none':
      return reply.send()
    case 'json':
      // Fastify would send a string as the text.
      return reply
        .type((reply.getHeader('content-type') as string) ?? 'application/json; charset=utf-8')
        .send(JSON.stringify(body.value))
    case 'text':
      return reply.send(body.text)
    case 'bytes':
      return reply.send(Buffer.from(body.bytes))
    case 'stream':
      return reply.send(Readable.from(body.chunks, { objectMode: false }))
  }
}
