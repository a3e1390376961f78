import { once as emitted } from 'node:events'
import { createServer, type RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { toNode } from '@oncekey/dashboard/node'
import { idempotency } from '@oncekey/express'
import { IdempotencyModule } from '@oncekey/nestjs'
import { postgresStore } from '@oncekey/postgres'
import express from 'express'
import type { Pool } from 'pg'
import { upOn } from '../../../../packages/nestjs/test/support/nest-app.ts'
import type { Reader } from './reader.ts'
import { hasMethods } from './shapes.ts'

export interface Served {
  readonly url: string
  close(): Promise<void>
}

/** Serves what a snippet has made for HTTP, in whichever framework, or the app it was given. */
export async function serveWhatItMade(
  exported: Readonly<Record<string, unknown>>,
  text: string,
  reader: Reader,
): Promise<Served | undefined> {
  const app = reader.takeApp()
  const values = Object.values(exported)
  const server = values.find((value) => value instanceof Server)
  if (server !== undefined) return served(server)
  const koa = values.find((value) => hasMethods(value, 'callback', 'use'))
  if (koa !== undefined) return served(createServer((koa as Koa).callback()))
  const module = values.find(isNestModule)
  if (module !== undefined) return servedByNest(module, text, reader)
  if (typeof exported.POST === 'function') return servedAsFetch(exported.POST as FetchHandler)
  const handler = app ?? appAround(values, reader)
  if (handler === undefined) {
    const shown = text.includes('= dashboard(') && values.find((one) => typeof one === 'function')
    return shown ? servedAsFetch(shown as FetchHandler) : undefined
  }
  if (hasMethods(handler, 'inject', 'ready')) {
    const fastify = handler as { ready(): Promise<void>; server: Server; swagger?(): object }
    await fastify.ready()
    fastify.swagger?.()
    return served(fastify.server)
  }
  if (hasMethods(handler, 'fetch')) return servedAsFetch((handler as { fetch: FetchHandler }).fetch)
  return served(createServer(handler as RequestListener))
}

/** A server that takes orders, for the snippets of clients. */
export function startShop(): Promise<Served> {
  const once = idempotency({ store: memoryStore(), scope: () => 'ana' })
  const app = express()
  app.post('/orders', express.json(), once, (req, res) => void res.status(201).json(req.body))
  return servedApp(app)
}

export const servedApp = (app: express.Express): Promise<Served> => served(createServer(app))

interface Koa {
  callback(): RequestListener
}

type FetchHandler = (request: Request) => Response | Promise<Response>

const servedAsFetch = (handler: FetchHandler) =>
  served(createServer(toNode(async (request) => handler(request))))

/** A middleware that the snippet mounts nowhere is mounted before a handler of ours. */
function appAround(values: readonly unknown[], reader: Reader): express.Express | undefined {
  const middleware = values.find(
    (value) => typeof value === 'function' && hasMethods(value, 'of', 'drain'),
  )
  if (middleware === undefined) return undefined
  const app = reader.given('app', '') as express.Express
  app.use(express.raw({ type: () => true }), middleware as express.RequestHandler)
  reader.takeApp()
  app.post('/', (_, res) => void res.status(201).json({ made: 'once' }))
  return app
}

const isNestModule = (value: unknown): value is new () => object =>
  typeof value === 'function' && Reflect.getMetadata?.('controllers', value) !== undefined

async function servedByNest(
  module: new () => object,
  text: string,
  reader: Reader,
): Promise<Served> {
  const options = {
    store: postgresStore({ client: reader.given('pool', '') as Pool }),
    scope: () => 'ana',
  }
  const own = text.includes('IdempotencyModule') ? [] : [IdempotencyModule.forRoot(options)]
  return upOn('express', { imports: [...own, module] })
}

async function served(server: Server): Promise<Served> {
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await emitted(server, 'listening')
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise((closed) => server.close(closed))
    },
  }
}
