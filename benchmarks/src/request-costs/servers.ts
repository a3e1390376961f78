import { createServer, type Server } from 'node:http'
import { Router } from '@koa/router'
import { idempotency as ofExpress } from '@oncekey/express'
import ofFastify from '@oncekey/fastify'
import { idempotency as ofKoa } from '@oncekey/koa'
import { idempotency as ofNode } from '@oncekey/node'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import bodyParser from 'koa-bodyparser'
import type { Order } from '../contenders/order.ts'
import { nestServer } from './nest-server.ts'
import type { Work } from './work.ts'

/** Makes a server whose only route, `POST /orders`, places an order. It does not listen yet. */
export type MakeServer = (work: Work) => Server | Promise<Server>

export type ServerName =
  | 'Express'
  | 'Fastify'
  | 'node:http'
  | 'Koa'
  | 'Nest on Express'
  | 'Nest on Fastify'

const scope = () => 'account-1'

/** The same route in each framework, as its documentation would write it. */
export const servers: Readonly<Record<ServerName, MakeServer>> = {
  Express({ store, place }) {
    const app = express()
    app.use(express.json())
    const once = store && ofExpress({ store, scope })
    if (once !== undefined) app.use(once)
    app.post('/orders', async (req, res) => {
      const placed = await place(req.body, once?.of(req).transaction)
      res.status(201).json(placed)
    })
    return createServer(app)
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
    return app.server
  },

  'node:http'({ store, place }) {
    const once = store && ofNode({ store, scope })
    return createServer((req, res) => {
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
  },

  Koa({ store, place }) {
    const app = new Koa()
    const once = store && ofKoa({ store, scope })
    if (once !== undefined) app.use(once)
    const router = new Router()
    router.post('/orders', async (ctx) => {
      const placed = await place(ctx.request.body as Order, once?.of(ctx).transaction)
      ctx.status = 201
      ctx.body = placed
    })
    app.use(bodyParser()).use(router.routes())
    return createServer(app.callback())
  },

  'Nest on Express': (work) => nestServer('express', work),
  'Nest on Fastify': (work) => nestServer('fastify', work),
}

function transactionOf(request: unknown): (() => Promise<unknown>) | undefined {
  const { idempotency } = request as { idempotency?: { transaction(): Promise<unknown> } | null }
  return idempotency?.transaction
}
