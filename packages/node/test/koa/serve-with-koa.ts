import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import type { Call, Reply, ServeSite } from '@oncekey/conformance'
import Koa, { type Context } from 'koa'
import { listening } from '../http2-front.ts'
import { idempotency } from './idempotency.ts'

/** Runs the adapter of docs/adapters.md through the contract suite. */
export const serveWithKoa: ServeSite = async (site) => {
  const { scope, fingerprint } = site
  const once = idempotency({
    ...site.options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string'
          ? scope
          : (ctx: Context) => scope((name) => ctx.get(name) || undefined),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: async (_: Context, bytes: () => Promise<Uint8Array>) =>
        fingerprint(JSON.parse(String(await bytes()))),
    }),
  } as Parameters<typeof idempotency<unknown>>[0])

  const app = new Koa()
  app.silent = true
  app.use((ctx, next) => {
    ctx.set(site.outside())
    return next()
  })
  app.context.onerror = answerError
  app.use(once)
  app.use(async (ctx) => {
    const route = site.routes.find(({ method, path }) => method === ctx.method && path === ctx.path)
    if (route === undefined) return
    const body = await jsonOf(ctx)
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

/** Like koa-onerror: responds to errors of middleware, including later ones. */
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
