import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { eq, sql } from 'drizzle-orm'
import { drizzle as drizzleOnPg, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { PgTransaction, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Bridge, BridgeUnderTest } from './bridge.ts'
import { pgPool } from './pg-pool.ts'
import { everyConnection } from './postgres-js.ts'

export const orders = pgTable('orders', { id: text().primaryKey() })
export const schema = { orders }

/** The transaction types of Drizzle's drivers differ only in what raw SQL returns. */
type Tx = Parameters<Parameters<NodePgDatabase<typeof schema>['transaction']>[0]>[0]

export const drizzleWork: Omit<Bridge<Tx>, 'client' | 'exhaust' | 'end'> = {
  insert: (tx, id) => tx.insert(orders).values({ id }),
  async count(tx, id) {
    const found = await tx.query.orders.findMany({ where: eq(orders.id, id) })
    return found.length
  },
  async raw(tx, query) {
    const result = await tx.execute(sql.raw(query))
    return Array.isArray(result) ? result : result.rows
  },
  later(tx, id) {
    const insert = tx.insert(orders).values({ id })
    return () => insert.execute()
  },
  nested: (tx, work) => tx.transaction((inner) => work(inner)),
  isOwn: (tx) => tx instanceof PgTransaction,
  ends: (tx) => [() => tx.rollback()],
}

export const drizzleBridges: readonly BridgeUnderTest[] = [
  {
    name: 'Drizzle on pg',
    async open(options) {
      const { pool, ...rest } = pgPool(options)
      const db = drizzleOnPg({ client: pool, schema })
      return { client: fromDrizzle(db), ...drizzleWork, ...rest } as Bridge
    },
  },
  {
    name: 'Drizzle on postgres.js',
    lacks: { sqlSavepoints: 'postgres.js commits nothing after an error that was caught' },
    async open({ url, max }) {
      const client = postgres(url, { max, onnotice: () => {} })
      const db = drizzleOnPostgresJs({ client, schema })
      const exhaust = () => everyConnection(client)
      return {
        client: fromDrizzle(db),
        ...drizzleWork,
        exhaust,
        end: () => client.end({ timeout: 2 }),
      } as Bridge
    },
  },
]
