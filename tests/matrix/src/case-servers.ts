import { once as emitted } from 'node:events'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { memoryStore } from '@oncekey/core'
import { idempotency as expressOnce } from '@oncekey/express'
import fastifyOnce from '@oncekey/fastify'
import { idempotency as koaOnce } from '@oncekey/koa'
import { idempotency as nodeOnce } from '@oncekey/node'
import { idempotency as fetchOnce } from '@oncekey/web'
import { idempotency as honoOnce } from '@oncekey/web/hono'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import type { AnswerCase, CaseReply } from './answer-cases.ts'

export interface CaseServer {
  readonly url: string
  /** How often the handler ran. */
  runs(): number
  close(): Promise<void>
}

/**
 * Serves one case on its adapter. `writesRaw` is true if the adapter has a Node response to write
 * to.
 */
export interface CaseAdapter {
  readonly name: string
  readonly writesRaw: boolean
  serve(answer: AnswerCase): Promise<CaseServer>
}

const METHODS = ['POST', 'HEAD'] as const
const options = () => ({
  store: memoryStore(),
  scope: 'dangerously-shared' as const,
  methods: [...METHODS],
})

export const caseAdapters: readonly CaseAdapter[] = [
  {
    name: 'Express',
    writesRaw: true,
    serve: (answer) =>
      listening((ran) => {
        const app = express().disable('x-powered-by').set('etag', false)
        app.use(expressOnce(options()))
        app.all('/', (_, res) => {
          ran()
          write(res, answer)
        })
        return createServer(app)
      }),
  },
  {
    name: 'node:http',
    writesRaw: true,
    serve: (answer) =>
      listening((ran) => {
        const once = nodeOnce(options())
        const listener: RequestListener = (req, res) =>
          void once(req, res, (error) => {
            if (error) return void res.writeHead(500).end(String(error))
            ran()
            write(res, answer)
          })
        return createServer(listener)
      }),
  },
  {
    name: 'Fastify',
    writesRaw: true,
    async serve(answer) {
      let runs = 0
      const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
      await app.register(fastifyOnce, options())
      app.route({
        method: [...METHODS],
        url: '/',
        handler(_, reply) {
          runs++
          if (answer.raw !== undefined) {
            reply.hijack()
            return void answer.raw(reply.raw)
          }
          const { status = 200, headers = [], body, pieces } = answer.reply as CaseReply
          reply.code(status)
          for (const name of new Set(headers.map(([name]) => name))) {
            const values = headers.filter(([other]) => other === name).map(([, value]) => value)
            reply.header(name, values.length === 1 ? values[0] : values)
          }
          reply.send(pieces === undefined ? body : Readable.from(pieces))
        },
      })
      const url = await app.listen({ host: '127.0.0.1', port: 0 })
      return { url, runs: () => runs, close: () => app.close() }
    },
  },
  {
    name: 'Koa',
    writesRaw: true,
    serve: (answer) =>
      listening((ran) => {
        const app = new Koa().use(koaOnce(options())).use((ctx) => {
          ran()
          if (answer.raw !== undefined) {
            ctx.respond = false
            ctx.res.statusCode = 200 // Koa sets 404 at the beginning
            return answer.raw(ctx.res)
          }
          const { status = 200, headers = [], body, pieces } = answer.reply as CaseReply
          ctx.status = status
          ctx.body = pieces === undefined ? (body ?? '') : Readable.from(pieces)
          for (const name of new Set(headers.map(([name]) => name))) {
            const values = headers.filter(([other]) => other === name).map(([, value]) => value)
            ctx.set(name, values.length === 1 ? (values[0] as string) : values)
          }
        })
        return createServer(app.callback())
      }),
  },
  {
    name: 'Hono',
    writesRaw: true,
    serve: (answer) =>
      listening((ran) => {
        const app = new Hono<{ Bindings: HttpBindings }>()
        app.use(honoOnce(options()))
        app.on([...METHODS], '/', (c) => {
          ran()
          if (answer.raw === undefined) return responseOf(answer.reply as CaseReply)
          answer.raw(c.env.outgoing as ServerResponse)
          return RESPONSE_ALREADY_SENT
        })
        return createAdaptorServer(app) as Server
      }),
  },
  {
    name: 'fetch',
    writesRaw: false,
    serve: (answer) =>
      listening((ran) => {
        const handle = fetchOnce(options())(() => {
          ran()
          return responseOf(answer.reply as CaseReply)
        })
        return createAdaptorServer({ fetch: handle }) as Server
      }),
  },
]

function write(res: ServerResponse, { raw, reply }: AnswerCase): void {
  if (raw !== undefined) {
    raw(res)
    return
  }
  const { status = 200, headers = [], body, pieces } = reply as CaseReply
  res.statusCode = status
  for (const [name, value] of headers) res.appendHeader(name, value)
  if (pieces === undefined) res.end(body)
  else Readable.from(pieces, { objectMode: false }).pipe(res)
}

function responseOf({ status = 200, headers = [], body, pieces }: CaseReply): Response {
  const held = pieces === undefined ? (body ?? null) : ReadableStream.from(pieces)
  return new Response(held as ConstructorParameters<typeof Response>[0], {
    status,
    headers: [...headers] as [string, string][],
  })
}

async function listening(build: (ran: () => void) => Server): Promise<CaseServer> {
  let runs = 0
  const server = build(() => void runs++)
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    runs: () => runs,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
