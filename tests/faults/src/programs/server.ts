import { once } from 'node:events'
import { idempotency as forExpress } from '@oncekey/express'
import forFastify from '@oncekey/fastify'
import express from 'express'
import Fastify from 'fastify'
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

await (adapter === 'express' ? serveExpress(kept) : serveFastify(kept))
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

/** As encoders do that own one buffer: by the next line it is of another answer. */
function sendFromScratch(res: express.Response, status: number, body: object): void {
  const length = scratch.write(JSON.stringify(body))
  res.status(status).type('json').end(scratch.subarray(0, length))
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
