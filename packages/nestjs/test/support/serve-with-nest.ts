import 'reflect-metadata'
import { Readable } from 'node:stream'
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type INestApplication,
  Module,
  Req,
  RequestMapping,
  RequestMethod,
  Res,
  StreamableFile,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { Call, CallResponse, Reply, ServeSite, Site } from '@oncekey/conformance'
import {
  IdempotencyModule,
  type IdempotencyOptions,
  Idempotent,
  idempotencyOf,
} from '@oncekey/nestjs'

export type Platform = 'express' | 'fastify'

/** Runs a Nest application through the adapter contract, on either platform. */
export function serveWithNest(platform: Platform): ServeSite {
  return async (site) => {
    const rawBody = site.options.authenticate !== undefined
    const adapter =
      platform === 'express'
        ? new ExpressAdapter()
        : new FastifyAdapter({ forceCloseConnections: true })
    const app = await NestFactory.create<INestApplication>(
      moduleOf(site, adapter),
      adapter as ExpressAdapter,
      {
        rawBody,
        logger: false,
        abortOnError: false,
        forceCloseConnections: true,
      },
    )
    setOutside(app, platform, site)
    app.useGlobalFilters(new ErrorCodes())
    await app.listen(0, '127.0.0.1')
    return {
      url: await app.getUrl(),
      drain: (options) => app.get(IdempotencyModule).drain(options),
      closeIdle: () => app.getHttpServer().closeIdleConnections(),
      close: () => app.close(),
    }
  }
}

function moduleOf(
  { options, scope, fingerprint, routes }: Site,
  adapter: Adapter,
): new () => object {
  class Routes {}
  Controller()(Routes)
  for (const [index, { method, path, handler }] of routes.entries()) {
    const name = `route${index}`
    const value = async (req: object, res: AnyResponse, body: unknown) =>
      send(
        adapter,
        res,
        await handler({
          get context() {
            return idempotencyOf(req)
          },
          body,
          response: res.raw ?? res,
        } satisfies Call),
      )
    Object.defineProperty(Routes.prototype, name, { value, configurable: true, writable: true })
    const descriptor = { value }
    Req()(Routes.prototype, name, 0)
    Res()(Routes.prototype, name, 1)
    Body()(Routes.prototype, name, 2)
    RequestMapping({ path, method: RequestMethod[method as 'POST'] })(
      Routes.prototype,
      name,
      descriptor,
    )
  }
  Idempotent()(Routes)

  const translated = {
    ...options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string'
          ? scope
          : (request: AnyRequest) => scope((name) => request.headers[name]),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: (request: AnyRequest) => fingerprint(request.body),
    }),
  } as IdempotencyOptions

  class App {}
  Module({ imports: [IdempotencyModule.forRoot(translated)], controllers: [Routes] })(App)
  return App
}

function setOutside(app: INestApplication, platform: Platform, site: Site): void {
  if (platform === 'express') {
    app.use((_: unknown, res: AnyResponse, next: () => void) => {
      for (const [name, value] of Object.entries(site.outside())) res.header(name, value)
      next()
    })
    return
  }
  const fastify = (app as NestFastifyApplication).getHttpAdapter().getInstance()
  fastify.addHook('onRequest', async (_, reply) => {
    reply.headers(site.outside())
  })
}

class ErrorCodes {
  catch(error: { code?: string; message?: string }, host: ArgumentsHost): void {
    const res = host.switchToHttp().getResponse<AnyResponse>()
    const isBegun = 'raw' in res ? res.raw?.headersSent : res.headersSent
    if (isBegun) return void (res.raw ?? res).destroy?.()
    res.status(500).send({ error: error.code ?? error.message })
  }
}
Catch()(ErrorCodes)

/**
 * Sends a reply as Nest sends what a handler returns. Bytes are sent as a handler with `@Res()`
 * sends them, because Nest does not send returned bytes as they are.
 */
function send(adapter: Adapter, res: AnyResponse, reply: Reply): unknown {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  const set = (name: string, value: string | string[]) =>
    res.raw === undefined ? res.setHeader(name, value) : res.header(name, value)
  res.status(status)
  for (const name of removed) res.removeHeader(name)
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    set(name, values.length === 1 ? (values[0] as string) : values)
  }
  switch (body.kind) {
    case 'none':
      return adapter.reply(res as never, undefined)
    case 'json':
      if (!res.getHeader('content-type')) set('content-type', 'application/json; charset=utf-8')
      return adapter.reply(res as never, JSON.stringify(body.value))
    case 'text':
      return adapter.reply(res as never, body.text)
    case 'bytes':
      return res.send(Buffer.from(body.bytes))
    case 'stream':
      return adapter.reply(
        res as never,
        new StreamableFile(Readable.from(body.chunks, { objectMode: false })),
      )
  }
}

type Adapter = ExpressAdapter | FastifyAdapter

interface AnyRequest {
  readonly headers: Record<string, string | undefined>
  readonly body: unknown
}

interface AnyResponse extends CallResponse {
  readonly raw?: CallResponse & { readonly headersSent: boolean; destroy(): void }
  readonly headersSent?: boolean
  status(status: number): AnyResponse
  header(name: string, value: string | string[]): unknown
  setHeader(name: string, value: string | string[]): unknown
  removeHeader(name: string): unknown
  getHeader(name: string): unknown
  send(body: unknown): unknown
  destroy?(): void
}
