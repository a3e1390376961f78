import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HandlerContext } from '@oncekey/core'
import { idempotency as forExpress } from '@oncekey/express'
import forFastify from '@oncekey/fastify'
import { idempotency as forNode } from '@oncekey/node'
import { postgresStore } from '@oncekey/postgres'
import express from 'express'
import Fastify from 'fastify'
import { Pool, type PoolClient } from 'pg'

/** The options of a server that stops as docs/deploys.md says, as JSON in its first argument. */
export interface DrainingServerOptions {
  readonly adapter: 'express' | 'fastify' | 'node'
  readonly mode: 'transaction' | 'lease'
  readonly url: string
  readonly name: string
}

const { adapter, mode, url, name }: DrainingServerOptions = JSON.parse(process.argv[2] ?? '')
const pool = new Pool({ connectionString: url, application_name: name, max: 12 })
const engine = {
  store: postgresStore({ client: pool, mode }),
  scope: 'dangerously-shared',
  waitMs: 20_000,
} as const

/** Places an order. The handler takes as long as the client asks for. */
async function place(
  { transaction }: HandlerContext<PoolClient>,
  { id, takesMs }: { readonly id: string; readonly takesMs: number },
): Promise<{ readonly id: string; readonly receipt: number }> {
  const tx = await transaction()
  await tx.query('insert into orders values ($1)', [id])
  console.log(`running ${id}`)
  await sleep(takesMs)
  return { id, receipt: Math.random() }
}

const serve = { express: serveExpress, fastify: serveFastify, node: serveNode }
const { port, stop } = await serve[adapter]()
process.once('SIGTERM', async () => {
  console.log('stopping')
  await stop()
  await pool.end()
})
console.log(JSON.stringify({ ready: true, port }))

interface Served {
  readonly port: number
  stop(): Promise<unknown>
}

async function serveExpress(): Promise<Served> {
  const idempotent = forExpress<PoolClient>(engine)
  const app = express()
  app.use(express.json())
  app.post('/', idempotent, async (req, res) => {
    res.status(201).json(await place(idempotent.of(req), req.body))
  })
  return await listening(createServer(app), idempotent.drain)
}

async function serveNode(): Promise<Served> {
  const idempotent = forNode<PoolClient>(engine)
  const server = createServer((req, res) => {
    void idempotent(req, res, async (error) => {
      if (error !== undefined) return void res.writeHead(500).end()
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk)
      const placed = await place(idempotent.of(req), JSON.parse(Buffer.concat(chunks).toString()))
      res.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(placed))
    })
  })
  return await listening(server, idempotent.drain)
}

async function serveFastify(): Promise<Served> {
  const idempotent = forFastify.with<PoolClient>(engine)
  const app = Fastify()
  await app.register(idempotent)
  app.post<{ Body: { id: string; takesMs: number } }>('/', async (request, reply) => {
    return reply.code(201).send(await place(idempotent.of(request), request.body))
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  return {
    port: Number(new URL(address).port),
    async stop() {
      await idempotent.drain()
      await app.close()
    },
  }
}

async function listening(server: Server, drain: () => Promise<unknown>): Promise<Served> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    async stop() {
      await drain()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
