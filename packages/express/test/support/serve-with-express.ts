import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import type { Call, Reply, ServeSite } from '@oncekey/conformance'
import { idempotency, keepRawBody } from '@oncekey/express'
import type express5 from 'express'
import type { ErrorRequestHandler, Request, Response } from 'express'

/** Runs Express through the adapter contract. */
export function serveWith(express: typeof express5): ServeSite {
  return async (site) => {
    const { scope, fingerprint } = site
    const once = idempotency({
      ...site.options,
      ...(scope !== undefined && {
        scope: typeof scope === 'string' ? scope : (req: Request) => scope((name) => req.get(name)),
      }),
      ...(fingerprint !== undefined && { fingerprint: (req: Request) => fingerprint(req.body) }),
    } as Parameters<typeof idempotency<unknown, Request>>[0])

    const app = express()
    app.use((_, res, next) => {
      res.set(site.outside())
      next()
    })
    // The raw bytes if they are needed, otherwise what the parser produced.
    const raw = site.options.authenticate !== undefined
    app.use(express.json(raw ? { verify: keepRawBody } : {}), once)
    for (const { method, path, handler } of site.routes) {
      const verb = method.toLowerCase() as 'post'
      app[verb](path, async (req, res, next) => {
        try {
          send(res, await handler(callOf(req, res)))
        } catch (error) {
          next(error)
        }
      })
    }
    app.use(((error, _, res, next) => {
      if (res.headersSent) return next(error)
      res.status(500).json({ error: error?.code ?? error?.message })
    }) satisfies ErrorRequestHandler)

    const callOf = (req: Request, res: Response): Call => ({
      get context() {
        return once.of(req)
      },
      body: req.body,
      response: res,
    })

    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
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
}

function send(res: Response, reply: Reply): void {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  res.status(status)
  for (const name of removed) res.removeHeader(name)
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
  }
  switch (body.kind) {
    case 'none':
      return void res.end()
    case 'json':
      return void res.json(body.value)
    case 'text':
      return void res.send(body.text)
    case 'bytes':
      return void res.send(body.bytes)
    case 'stream':
      return void Readable.from(body.chunks, { objectMode: false }).pipe(res)
  }
}
