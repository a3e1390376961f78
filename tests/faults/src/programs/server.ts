import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { idempotency as forExpress } from '@oncekey/express'
import forFastify from '@oncekey/fastify'
import { idempotency as forNode } from '@oncekey/node'
import { idempotency as forHono } from '@oncekey/web/hono'
import express from 'express'
import Fastify from 'fastify'
import { type Env, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { PoolClient } from 'pg'
import { limits } from '../limits.ts'
import { type OrderRequest, placeOrder } from './place-order.ts'
import { type ServerOptions, type ServerStore, serverStore } from './server-options.ts'

const options: ServerOptions = JSON.parse(process.argv[2] ?? '')
const { adapter, gatewayUrl, port } = options
const kept = await serverStore(options)
const shop = { gatewayUrl, transactions: kept.store.capabilities.transactions }
const engine = {
  store: kept.store,
  scope: 'dangerously-shared',
  handlerTimeoutMs: limits.handlerTimeoutMs,
  leaseMs: limits.leaseMs,
  waitMs: limits.waitMs,
} as const

const scratch = Buffer.alloc(4_096)
const JSON_TYPE = 'application/json; charset=utf-8'

const serve = { express: serveExpress, fastify: serveFastify, node: serveNode, hono: serveHono }
await serve[adapter](kept)
console.log(JSON.stringify({ ready: true }))

async function serveExpress({ leftOver }: ServerStore): Promise<void> {
  const idempotent = forExpress<PoolClient>(engine)
  const app = express()
  app.use(express.json())
  app.post('/orders', idempotent, async (req, res) => {
    const { status, body } = await placeOrder(req.body, idempotent.of(req), shop)
    if (Math.random() < 0.5) res.status(status).json(body)
    else sendFromScratch(res, status, body)
  })
  app.get('/left-over', (_, res) => res.json(leftOver()))
  app.use(((_error, _req, res, _next) => {
    res.status(500).json({ error: 'This order failed.' })
  }) satisfies express.ErrorRequestHandler)
  const server = app.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

/**
 * Sends an answer from one buffer, as an encoder that reuses its buffer does: the next line of code
 * overwrites it with another text.
 */
function sendFromScratch(res: ServerResponse, status: number, body: object): void {
  const length = scratch.write(JSON.stringify(body))
  res.writeHead(status, { 'content-type': JSON_TYPE }).end(scratch.subarray(0, length))
  scratch.fill('#')
}

async function serveFastify({ leftOver }: ServerStore): Promise<void> {
  const idempotent = forFastify.with<PoolClient>(engine)
  const app = Fastify()
  await app.register(idempotent)
  app.post<{ Body: OrderRequest }>('/orders', async (request, reply) => {
    const { status, body } = await placeOrder(request.body, idempotent.of(request), shop)
    return reply.code(status).send(body)
  })
  app.get('/left-over', { config: { idempotency: false } }, async () => leftOver())
  app.setErrorHandler((_error, _request, reply) => {
    reply.code(500).send({ error: 'This order failed.' })
  })
  await app.listen({ port, host: '127.0.0.1' })
}

async function serveNode({ leftOver }: ServerStore): Promise<void> {
  const idempotent = forNode<PoolClient>(engine)
  const server = createServer((req, res) => {
    if (req.method === 'GET') return void res.end(String(leftOver()))
    void idempotent(req, res, (error) => {
      const placed = error === undefined ? place(req, res) : Promise.reject(error)
      placed.catch(() => sendFromScratch(res, 500, { error: 'This order failed.' }))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')

  async function place(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk)
    const order: OrderRequest = JSON.parse(Buffer.concat(chunks).toString())
    const { status, body } = await placeOrder(order, idempotent.of(req), shop)
    sendFromScratch(res, status, body)
  }
}

/** Half of this server's answers are Responses, and half are written to Node's own response. */
async function serveHono({ leftOver }: ServerStore): Promise<void> {
  const idempotent = forHono<PoolClient, Env>(engine)
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.get('/left-over', (c) => c.json(leftOver()))
  app.post('/orders', idempotent, async (c) => {
    const { status, body } = await placeOrder(await c.req.json(), idempotent.of(c), shop)
    if (Math.random() < 0.5) {
      c.header('content-type', JSON_TYPE)
      return c.body(JSON.stringify(body), status as ContentfulStatusCode)
    }
    sendFromScratch(c.env.outgoing as ServerResponse, status, body)
    return RESPONSE_ALREADY_SENT
  })
  app.onError((_, c) => c.json({ error: 'This order failed.' }, 500))
  const server = createAdaptorServer(app)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
