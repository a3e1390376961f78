import { createServer } from 'node:http'
import { idempotency as ofExpress } from '@oncekey/express'
import ofFastify from '@oncekey/fastify'
import { idempotency as ofNode } from '@oncekey/node'
import { idempotency as ofWeb } from '@oncekey/web'
import express from 'express'
import fastify from 'fastify'
import { ORDER, type Order } from '../contenders/order.ts'
import { type InProcessClient, inProcessClient } from './in-process-client.ts'
import type { Work } from './work.ts'

export const BODY: string = JSON.stringify(ORDER)

/** Starts an app whose only route places an order. Returns what sends requests to it. */
export type StartApp = (work: Work) => InProcessClient | Promise<InProcessClient>

const scope = () => 'account-1'

/** The same route in each framework, as its documentation would write it. */
export const apps: Readonly<Record<'Express' | 'Fastify' | 'node:http' | 'web', StartApp>> = {
  Express({ store, place }) {
    const app = express()
    app.use(express.json())
    const once = store && ofExpress({ store, scope })
    if (once !== undefined) app.use(once)
    app.post('/orders', async (req, res) => {
      const placed = await place(req.body, once?.of(req).transaction)
      res.status(201).json(placed)
    })
    return inProcessClient(createServer(app), '/orders', BODY)
  },

  async Fastify({ store, place }) {
    const app = fastify()
    if (store !== undefined) await app.register(ofFastify.with({ store, scope }))
    app.post('/orders', async (request, reply) => {
      const placed = await place(request.body as Order, transactionOf(request))
      reply.code(201)
      return placed
    })
    await app.ready()
    return inProcessClient(app.server, '/orders', BODY)
  },

  'node:http'({ store, place }) {
    const once = store && ofNode({ store, scope })
    const server = createServer((req, res) => {
      const handle = async (): Promise<void> => {
        const chunks: Uint8Array[] = []
        for await (const chunk of req) chunks.push(chunk)
        const order: Order = JSON.parse(Buffer.concat(chunks).toString())
        const text = JSON.stringify(await place(order, once?.of(req).transaction))
        const head = { 'content-type': 'application/json', 'content-length': text.length }
        res.writeHead(201, head).end(text)
      }
      if (once === undefined) void handle()
      else void once(req, res, handle)
    })
    return inProcessClient(server, '/orders', BODY)
  },

  web({ store, place }) {
    const once = store && ofWeb({ store, scope })
    const handler = async (request: Request): Promise<Response> => {
      const order = (await request.json()) as Order
      return Response.json(await place(order, once?.of(request).transaction), { status: 201 })
    }
    const handle = once === undefined ? handler : once(handler)
    const headers = { 'content-type': 'application/json' }
    return {
      async post(key) {
        const response = await handle(
          new Request('http://a/orders', {
            method: 'POST',
            body: BODY,
            headers: { ...headers, 'idempotency-key': key },
          }),
        )
        await response.text()
        return response.status
      },
      writes: () => 0,
    }
  },
}

export type AppName = keyof typeof apps

function transactionOf(request: unknown): (() => Promise<unknown>) | undefined {
  const { idempotency } = request as { idempotency?: { transaction(): Promise<unknown> } | null }
  return idempotency?.transaction
}
