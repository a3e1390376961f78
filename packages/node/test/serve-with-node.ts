import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import { Readable } from 'node:stream'
import type { Call, CallStream, Reply, ServedSite, ServeSite, Site } from '@oncekey/conformance'
import { idempotency, type NodeRequest } from '@oncekey/node'
import connect from 'connect'
import { frontOf, listening } from './http2-front.ts'

type Route = (req: NodeRequest, res: ServerResponse) => Promise<void>

/** A server of `node:http` that has nothing but its request listener. */
export const serveWithNodeHttp: ServeSite = (site) =>
  serve(site, ({ once, handle, failed }) => {
    return createServer((req, res) => {
      outside(site, res)
      void once(req, res, (error) => (error ? failed(error, res) : handle(req, res)))
    })
  })

/**
 * The same listener on a server of `node:http2`, behind a proxy that speaks HTTP/1.1 to the suite.
 */
export const serveWithNodeHttp2: ServeSite = (site) =>
  serve(site, ({ once, handle, failed }) => {
    return createHttp2Server((req, res) => {
      const [request, response] = [req as unknown as NodeRequest, res as unknown as ServerResponse]
      outside(site, response)
      void once(request, response, (error) =>
        error ? failed(error, response) : handle(request, response),
      )
    })
  })

/** An app of Connect. */
export const serveWithConnect: ServeSite = (site) =>
  serve(site, ({ once, handle, failed }) => {
    const app = connect()
    app.use((_, res, next) => {
      outside(site, res)
      next()
    })
    app.use(once as connect.NextHandleFunction)
    app.use((req, res, next) => void handle(req as NodeRequest, res).catch(next))
    app.use(((error: unknown, _: unknown, res: ServerResponse, next: connect.NextFunction) => {
      if (res.headersSent) next(error)
      else failed(error, res)
    }) as connect.ErrorHandleFunction)
    return createServer(app as RequestListener)
  })

interface Parts {
  readonly once: ReturnType<typeof idempotency<unknown, NodeRequest>>
  readonly handle: Route
  failed(error: unknown, res: ServerResponse): void
}

async function serve(
  site: Site,
  build: (parts: Parts) => ReturnType<typeof createServer> | Http2Server,
): Promise<ServedSite> {
  const { scope, fingerprint, routes } = site
  const once = idempotency({
    ...site.options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string'
          ? scope
          : (req: NodeRequest) => scope((name) => req.headers[name] as string | undefined),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: async (_: NodeRequest, bytes: () => Promise<Uint8Array>) =>
        fingerprint(JSON.parse(String(await bytes()))),
    }),
  } as Parameters<typeof idempotency<unknown, NodeRequest>>[0])

  const handle: Route = async (req, res) => {
    const path = req.url?.split('?', 1)[0]
    const route = routes.find((route) => route.method === req.method && route.path === path)
    if (route === undefined) return void res.writeHead(404).end()
    const body = await jsonOf(req)
    const call: Call = {
      get context() {
        return once.of(req)
      },
      body,
      stream: (res as { stream?: CallStream }).stream,
      response: res,
    }
    try {
      send(res, await route.handler(call))
    } catch (error) {
      if (res.headersSent) throw error
      failed(error, res)
    }
  }
  const failed = (error: unknown, res: ServerResponse): void => {
    const { code, message } = error as { code?: string; message?: string }
    res.writeHead(500, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ error: code ?? message }))
  }
  const server = build({ once, handle, failed })
  const front = 'setTimeout' in server && 'maxHeadersCount' in server ? undefined : server
  const up =
    front === undefined ? await listening(server as never) : await frontOf(front as Http2Server)
  return { ...up, drain: once.drain }
}

async function jsonOf(req: NodeRequest): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of req) chunks.push(chunk as Uint8Array)
  const text = String(Buffer.concat(chunks))
  return text === '' ? undefined : JSON.parse(text)
}

function outside(site: Site, res: ServerResponse): void {
  for (const [name, value] of Object.entries(site.outside())) res.setHeader(name, value)
}

function send(res: ServerResponse, reply: Reply): void {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  res.statusCode = status
  for (const name of removed) res.removeHeader(name)
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
  }
  const typed = (type: string) =>
    res.hasHeader('content-type') || res.setHeader('content-type', type)
  switch (body.kind) {
    case 'none':
      return void res.end()
    case 'json':
      typed('application/json')
      return void res.end(JSON.stringify(body.value))
    case 'text':
      typed('text/plain; charset=utf-8')
      return void res.end(body.text)
    case 'bytes':
      return void res.end(body.bytes)
    case 'stream':
      return void Readable.from(body.chunks, { objectMode: false }).pipe(res)
  }
}
