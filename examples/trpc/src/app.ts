import { PGlite } from '@electric-sql/pglite'
import type { HandlerContext } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { initTRPC, TRPCError } from '@trpc/server'
import {
  type CreateExpressContextOptions,
  createExpressMiddleware,
} from '@trpc/server/adapters/express'
import express from 'express'

// Embedded Postgres, in memory or in a folder. On a server, use a `pg` Pool instead.
const db = new PGlite(process.env.DATA_FOLDER)
const client = fromPglite(db)
await migrate(client)
await db.query('create table if not exists orders (id serial primary key, item text not null)')
const store = postgresStore({ client })

const once = idempotency({
  store,
  scope: (req) => String(req.headers['x-account'] ?? ''), // from your authentication
})

interface Context {
  readonly once: HandlerContext<Pick<PGlite, 'query'>> | undefined
}

const t = initTRPC.context<Context>().create()

export const router = t.router({
  place: t.procedure
    .input((input) => {
      const { item } = Object(input) as { item?: unknown }
      if (typeof item !== 'string') throw new TRPCError({ code: 'UNPROCESSABLE_CONTENT' })
      return { item }
    })
    .mutation(async ({ ctx, input: { item } }) => {
      if (ctx.once === undefined) throw new TRPCError({ code: 'METHOD_NOT_SUPPORTED' })
      const tx = await ctx.once.transaction() // what it writes commits with the response
      const sql = 'insert into orders (item) values ($1) returning *'
      const { rows } = await tx.query<{ id: number; item: string }>(sql, [item])
      ctx.once.emit({ type: 'order.placed', subject: String(rows[0]?.id), data: rows[0] })
      return rows[0]
    }),
  books: t.procedure.query(async () => {
    const { rows } = await db.query<{ orders: number; events: number }>(`select
      (select count(*)::int from orders) as orders,
      (select count(*)::int from oncekey.outbox) as events`)
    return rows[0]
  }),
})

// A query is a GET, which is not covered.
const createContext = ({ req }: CreateExpressContextOptions): Context => ({
  once: req.method === 'POST' ? (once.of(req) as Context['once']) : undefined,
})

export const app = express()
app.use('/trpc', express.json(), once, createExpressMiddleware({ router, createContext }))
