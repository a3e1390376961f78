import type { AddressInfo } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import { memoryStore, type Store } from '@oncekey/core'
import idempotency from '@oncekey/fastify'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { redisStore } from '@oncekey/redis'
import fastify from 'fastify'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { leastPlugin } from '../contenders/least-plugin.ts'
import { answer, cpuMicros } from '../verbs.ts'

let runs = 0

const verbs = {
  async listen(kind: FastifyStore, url: string): Promise<number> {
    const app = fastify()
    if (kind === 'least plugin') leastPlugin(app)
    const store = (await storeOf[kind](url)) as Store<unknown> | undefined
    if (store !== undefined)
      await app.register(idempotency.with({ store, scope: () => 'account-1' }))
    app.post('/orders', async (request, reply) => {
      runs += 1
      const { customer, item, cents } = request.body as Record<string, unknown>
      reply.code(201)
      return { id: 'order-1', customer, item, cents, state: 'placed' }
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
  runs: () => runs,
  cpuMicros,
}

const storeOf = {
  none: () => undefined,
  'least plugin': () => undefined,
  memory: () => memoryStore({ maxRecords: 10_000_000 }),
  'memory, lease mode': () => memoryStore({ mode: 'lease', maxRecords: 10_000_000 }),
  Redis: (url: string) => redisStore({ client: new Redis(url) }),
  Postgres: (url: string) => postgresStore({ client: poolOf(url, false) }),
  'Postgres, pipeline': (url: string) => postgresStore({ client: poolOf(url, true) }),
  async PGlite() {
    const client = fromPglite(new PGlite())
    await migrate(client)
    return postgresStore({ client })
  },
} satisfies Record<string, (url: string) => unknown>

/** Connections stay open between rounds, so that no round starts with opening them. */
function poolOf(connectionString: string, pipeline: boolean): Pool {
  return new Pool({ connectionString, max: 20, pipeline, idleTimeoutMillis: 0 })
}

export type FastifyStore = keyof typeof storeOf
export type FastifyServer = typeof verbs

answer(verbs)
