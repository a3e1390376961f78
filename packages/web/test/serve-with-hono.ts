import { once as emitted } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import type { Call, CallResponse, Reply, ServeSite } from '@oncekey/conformance'
import { type IdempotencyOptions, idempotency } from '@oncekey/web/hono'
import { type Context, type Env, Hono } from 'hono'
import type { StatusCode } from 'hono/utils/http-status'

/** Runs Hono through the adapter contract, on Node's server. */
export const serveWithHono: ServeSite = (site) =>
  serveOn((app) => createAdaptorServer(app) as Server, site)

/** The same on another version of the server. */
export async function serveOn(
  serve: (app: Pick<Hono, 'fetch'>) => Server,
  site: Parameters<ServeSite>[0],
): ReturnType<ServeSite> {
  const { scope, fingerprint } = site
  const once = idempotency({
    ...site.options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string' ? scope : (c: Context) => scope((name) => c.req.header(name)),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: async (c: Context) => fingerprint(await c.req.json()),
    }),
  } as IdempotencyOptions<unknown, Env>)

  const app = new Hono()
  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(site.outside())) c.header(name, value)
    await next()
  })
  app.use(once)
  for (const { method, path, handler } of site.routes) {
    app.on(method, path, async (c) => send(c, await handler(await callOf(c))))
  }
  app.onError((error, c) =>
    c.json({ error: 'code' in error ? error.code : error.message } as object, 500),
  )

  const callOf = async (c: Context): Promise<Call> => {
    const text = await c.req.text()
    return {
      get context() {
        return once.of(c)
      },
      body: text === '' ? undefined : JSON.parse(text),
      // A getter, because it is held back from the moment at which a handler reads it.
      get response() {
        return (c.env as Partial<HttpBindings> | undefined)?.outgoing as CallResponse | undefined
      },
    }
  }

  const server = serve(app)
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    drain: once.drain,
    closeIdle: () => server.closeIdleConnections(),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(c: Context, reply: Reply): Response {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  c.status(status as StatusCode)
  for (const name of removed) c.header(name, undefined)
  const written = new Set<string>()
  for (const [name, value] of headers) {
    c.header(name, value, { append: written.has(name) })
    written.add(name)
  }
  switch (body.kind) {
    case 'none':
      return c.body(null)
    case 'json': {
      const type = headers.find(([name]) => name === 'content-type')
      return c.json(body.value as object, undefined, type && { 'content-type': type[1] })
    }
    case 'text':
      return c.text(body.text)
    case 'bytes':
      return c.body(new Uint8Array(body.bytes))
    case 'stream':
      return c.body(ReadableStream.from(body.chunks) as ReadableStream<Uint8Array<ArrayBuffer>>)
  }
}
