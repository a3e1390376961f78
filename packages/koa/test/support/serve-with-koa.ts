import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import type { Call, Reply, ServeSite } from '@oncekey/conformance'
import { idempotency, type KoaContext } from '@oncekey/koa'
import type Koa from 'koa'
import type { Context, Middleware } from 'koa'
import { listening } from '../../../node/test/http2-front.ts'

/**
 * Runs Koa through the adapter contract. `parser` is a body parser that is mounted before, or
 * nothing.
 */
export function serveWith(Application: typeof Koa, parser?: Middleware): ServeSite {
  return async (site) => {
    const { scope, fingerprint } = site
    const once = idempotency({
      ...site.options,
      ...(scope !== undefined && {
        scope:
          typeof scope === 'string'
            ? scope
            : (ctx: KoaContext) => scope((name) => ctx.get(name) || undefined),
      }),
      ...(fingerprint !== undefined && {
        fingerprint: async (_: KoaContext, bytes: () => Promise<Uint8Array>) =>
          fingerprint(JSON.parse(String(await bytes()))),
      }),
    } as Parameters<typeof idempotency<unknown>>[0])

    const app = new Application()
    app.silent = true
    app.use((ctx, next) => {
      ctx.set(site.outside())
      return next()
    })
    app.context.onerror = answerError
    if (parser !== undefined) app.use(parser)
    app.use(once)
    app.use(async (ctx) => {
      const { method, path } = ctx
      const route = site.routes.find((route) => route.method === method && route.path === path)
      if (route === undefined) return
      const body = parser === undefined ? await jsonOf(ctx) : parsedOf(ctx)
      const call: Call = {
        get context() {
          return once.of(ctx)
        },
        body,
        response: ctx.res,
      }
      send(ctx, await route.handler(call))
    })
    const up = await listening(createServer(app.callback()))
    return { ...up, drain: once.drain }
  }
}

/** Answers errors of middleware, and those that come after it, as koa-onerror does. */
function answerError(this: Context, error: (Error & { code?: string }) | null): void {
  if (error === null || this.headerSent || !this.writable) return
  this.res.statusCode = 500
  this.res.setHeader('content-type', 'application/json')
  this.res.end(JSON.stringify({ error: error.code ?? error.message }))
}

async function jsonOf(ctx: Context): Promise<unknown> {
  const chunks: Uint8Array[] = []
  for await (const chunk of ctx.req) chunks.push(chunk as Uint8Array)
  const text = String(Buffer.concat(chunks))
  return text === '' ? undefined : JSON.parse(text)
}

function parsedOf(ctx: Context): unknown {
  const { body } = ctx.request as { body?: unknown }
  return body
}

function send(ctx: Context, reply: Reply): void {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  ctx.status = status
  for (const name of removed) ctx.remove(name)
  if (body.kind === 'json') ctx.body = JSON.stringify(body.value)
  else if (body.kind === 'text') ctx.body = body.text
  else if (body.kind === 'bytes') ctx.body = Buffer.from(body.bytes)
  else if (body.kind === 'stream') ctx.body = Readable.from(body.chunks, { objectMode: false })
  else ctx.body = ''
  if (body.kind === 'json') ctx.type = 'application/json'
  if (body.kind === 'none') ctx.remove('content-type')
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    ctx.set(name, values.length === 1 ? (values[0] as string) : values)
  }
}
