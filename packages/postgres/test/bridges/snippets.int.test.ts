import { readdirSync } from 'node:fs'
import { once, type Store } from '@oncekey/core'
import { migrate } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

const snippets = new URL('./snippets/', import.meta.url)

/** Tables as the snippets of docs/bridges.md know them. Prisma's and Sequelize's have more. */
const TABLE = `create table orders (
  id text primary key default gen_random_uuid(), item text,
  "createdAt" timestamptz, "updatedAt" timestamptz
)`

let database: Database
let pool: Pool

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  process.env.DATABASE_URL = database.url
  pool = new Pool({ connectionString: database.url })
  await migrate(pool)
  await pool.query(TABLE)
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

interface Exports {
  readonly store?: Store<unknown>
  readonly open?: () => Promise<Store<unknown>>
  readonly place: (tx: unknown, item: string) => unknown
  readonly [name: string]: unknown
}

// docs.test.ts says that these files are the blocks of the page.
test.each(readdirSync(snippets))('the snippet %s places an order once', async (file) => {
  const exported: Exports = await import(new URL(file, snippets).href)
  const store = exported.store ?? (await exported.open?.())
  if (store === undefined) throw new Error(`${file} exports no store.`)
  const orders = once({ store, namespace: file })
  const place = () =>
    orders.run({ scope: 'ana', key: 'k', input: {} }, async ({ transaction }) => {
      await exported.place(await transaction(), file)
      return null
    })
  try {
    expect((await place()).replayed).toBe(false)
    expect((await place()).replayed).toBe(true)
    const { rows } = await pool.query(
      'select count(*)::int as placed from orders where item = $1 or id = $1',
      [file],
    )
    expect(rows).toEqual([{ placed: 1 }])
  } finally {
    await close(exported)
  }
})

/** Closes the library by whatever name it calls that. */
async function close(exported: Exports): Promise<void> {
  for (const value of Object.values(exported)) {
    const one = value as (Record<string, unknown> & { $client?: Pool }) | null
    if (one === null || (typeof one !== 'object' && typeof one !== 'function')) continue
    const name = ['$disconnect', 'destroy', 'end', 'close'].find(
      (each) => typeof one[each] === 'function',
    )
    await one.$client?.end() // Drizzle is not closed itself
    if (name !== undefined) await (one[name] as () => unknown)()
  }
}
