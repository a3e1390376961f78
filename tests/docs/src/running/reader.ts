import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { Module } from '@nestjs/common'
import type { HandlerContext } from '@oncekey/core'
import { dashboard } from '@oncekey/dashboard'
import { idempotency } from '@oncekey/express'
import idempotencyOfFastify from '@oncekey/fastify'
import { describeIdempotency } from '@oncekey/openapi'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { postgresLog, postgresStore } from '@oncekey/postgres'
import { createSagaRunner, saga, sagaOperator } from '@oncekey/saga'
import { selfSigned } from '@oncekey/test-servers'
import { webhooks } from '@oncekey/webhooks'
import { signWebhook } from '@oncekey/webhooks/sign'
import express, { type Request as ExpressRequest } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import { Pool, type PoolClient } from 'pg'
import { upOn } from '../../../../packages/nestjs/test/support/nest-app.ts'

const { cert, key } = selfSigned

const USER = { id: 'customer-7', email: 'maria@shop.example', isOperator: true }
export const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const ORDER = { id: 1, item: 'violin' }

/** Whoever copies the snippets of one page: what they have, and what they were given of it. */
export interface Reader {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** A server that takes orders, for the snippets of clients. */
  readonly shopUrl: string
  /** Begins another snippet. */
  read(text: string): void
  /** The value of a name that a snippet uses and does not declare, of this type. */
  given(name: string, type: string): unknown
  /** The application that the snippets were given since this was last called. */
  takeApp(): unknown
  close(): Promise<void>
}

export function reader(
  databaseUrl: string,
  redisUrl: string,
  shopUrl: string,
  endpointId: string,
): Reader {
  const pool = new Pool({ connectionString: databaseUrl })
  pool.on('error', () => {})
  const closing: (() => unknown)[] = [() => pool.ended || pool.end()]
  const log = postgresLog({ client: pool })
  const hooks = webhooks({ client: pool, customerOf: () => 'acme' })
  const show = dashboard({
    store: postgresStore({ client: pool }),
    basePath: '/admin/oncekey',
    authorize: () => ({ actor: USER.email, may: 'all' }),
  })
  const ordered = saga<object, unknown>('order', { version: 1 }).step('pack', { run: () => ({}) })
  const shipping = saga<object, unknown>('shipping', { version: 1 }).step('ship', {
    run: () => ({}),
  })
  let app: unknown
  let reading = ''

  function makeApp(type: string): unknown {
    if (type.includes('fastify')) {
      const fastify = Fastify()
      fastify.decorateRequest('user', { getter: () => USER })
      const once = idempotencyOfFastify.with({ store: postgresStore({ client: pool }), scope })
      // A snippet that mounts none itself is about routes below one.
      if (!reading.includes("from '@oncekey/fastify'")) fastify.register(once)
      closing.push(() => fastify.close())
      return fastify
    }
    if (type.includes('hono')) {
      const hono = new Hono<{ Variables: { user: object } }>()
      hono.use(async (c, next) => {
        c.set('user', USER)
        await next()
      })
      return hono
    }
    const made = express()
    made.use((req, _, next) => {
      Object.assign(req, { user: USER })
      next()
    })
    return made
  }

  function server(): Server {
    const made = createServer((_, res) => res.end())
    closing.push(() => made.close())
    return made
  }

  async function nest(): Promise<unknown> {
    const { app: made, close } = await upOn('express', { imports: [] })
    closing.push(close)
    return made
  }

  const once = idempotency({ store: postgresStore({ client: pool, mode: 'lease' }), scope })
  const event = { id: '0199f2c8-7a1e-7c60-b9a3-0d4b2a7f4c11' }
  const values: Readonly<Record<string, (type: string) => unknown>> = {
    app: (type) => {
      app = makeApp(type)
      return app
    },
    pool: () => pool,
    store: () => postgresStore({ client: pool }),
    log: () => log,
    hooks: () => hooks,
    show: () => show,
    dead: () => deadLetters(log.deadLetters),
    sagas: (type) => {
      if (type.includes('sagaOperator')) return sagaOperator({ client: pool })
      const runner = createSagaRunner({ client: pool, sagas: [ordered, shipping] })
      closing.push(() => runner.stop())
      runner.start()
      return runner
    },
    shipping: (type) =>
      type.includes('Consumer') ? consumer({ name: 'shipping', handle() {} }) : shipping,
    order: (type) => (type.includes('Saga<') ? ordered : ORDER),
    once: () => once,
    relay: () => {
      const relay = createRelay({ log, consumers: [hooks.consumer] })
      relay.start()
      return relay
    },
    server,
    nest,
    gateway: () => ({
      charge: async () => ({ id: 'ch_1', cents: 4200, declined: false, code: '' }),
      refund: async () => {},
    }),
    endpoint: () => ({ id: endpointId }),
    id: () => endpointId, // also that of a saga run
    ids: () => ['1'],
    job: () => ({ id: 'job-1', data: { amount: 1 } }),
    tenant: () => 'acme',
    customer: () => 'acme',
    url: () => 'https://acme.example/hooks',
    urlOf: () => () => databaseUrl,
    deployedAt: () => new Date(0),
    token: () => 'secret',
    ca: () => cert,
    cert: () => cert,
    key: (type) =>
      type === 'string' ? key : { namespace: 'http', scope: 'customer-7', key: 'b51d0a30' },
    operations: () => postgresStore({ client: pool }).operations,
    userOf: () => () => USER,
    currentUser: () => async () => USER,
    accountOf: () => () => USER.id,
    find: () => async () => undefined,
    authorize: () => () => ({ actor: USER.email, may: 'all' }),
    session: () => (req: IncomingMessage, _: ServerResponse, next: () => void) => {
      Object.assign(req, { user: USER })
      next()
    },
    authenticate: (type) =>
      type.includes('koa')
        ? (ctx: { state: object }, next: () => unknown) => {
            Object.assign(ctx.state, { user: USER })
            return next()
          }
        : (_req: unknown, _res: unknown, next: () => void) => next(),
    router: trpcRouter,
    AuthGuard: () =>
      class AuthGuard {
        canActivate(context: { switchToHttp(): { getRequest(): object } }) {
          Object.assign(context.switchToHttp().getRequest(), { user: USER })
          return true
        }
      },
    DatabaseModule: () => {
      class DatabaseModule {}
      const providers = [{ provide: Pool, useValue: pool }]
      Module({ providers, exports: [Pool] })(DatabaseModule)
      return DatabaseModule
    },
    pino: () => () => ({ info() {}, warn() {}, error() {} }),
    createOrder: () => () => ({ orderId: '1' }),
    cancelOrder: () => () => {},
    hasOrdered: () => async () => true,
    charge: () => () => ({ chargeId: '1' }),
    refund: () => () => {},
    document: () => describeIdempotency({ openapi: '3.1.1', paths: {} }),
    events: () => ({ 'order.placed': { summary: 'An order was placed.', data: {} } }),
    event: () => event,
    current: () => SECRET,
    previous: () => SECRET,
    secrets: () => [SECRET],
    request: () =>
      new Request('http://shop.example', {
        headers: {
          ...signWebhook({ id: event.id, body: JSON.stringify(event), secrets: [SECRET] }),
        },
      }),
    client: () => {
      const client = new Redis(redisUrl)
      closing.push(() => client.disconnect())
      return client
    },
  }
  return {
    databaseUrl,
    redisUrl,
    shopUrl,
    read(text) {
      reading = text
    },
    given(name, type) {
      const value = values[name]
      if (value === undefined) throw new Error(`No reader has "${name}", a ${type}.`)
      return value(type)
    },
    takeApp() {
      const taken = app
      app = undefined
      return taken
    },
    async close() {
      for (const close of closing.reverse()) await close()
    },
  }
}

/** A router of tRPC, which only the example that runs the recipe depends on. */
async function trpcRouter(): Promise<unknown> {
  const { resolve } = createRequire(
    new URL('../../../../examples/trpc/package.json', import.meta.url),
  )
  const { initTRPC } = await import(resolve('@trpc/server'))
  const { router, procedure } = initTRPC.context().create()
  const place = procedure.mutation(async ({ ctx }: { ctx: Ctx }) => {
    const tx = await ctx.once.transaction()
    await tx.query("insert into orders (item) values ('violin')")
    return 1
  })
  return router({ place })
}

interface Ctx {
  readonly once: HandlerContext<PoolClient>
}

const scope = (request: unknown): string =>
  (request as Partial<ExpressRequest> & { user?: { id: string } }).user?.id ?? USER.id
