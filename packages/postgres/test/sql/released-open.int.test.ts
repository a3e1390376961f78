import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { type PostgresClient, postgresStore } from '@oncekey/postgres'
import { fromKysely } from '@oncekey/postgres/kysely'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const oldest = createRequire(import.meta.url)('pg8-11') as typeof import('pg')

interface Given {
  readonly pool: Pool
  readonly client: PostgresClient<unknown>
}

const clients: Record<string, (url: string) => Given> = {
  'the oldest pg': (connectionString) => {
    const pool = new oldest.Pool({ connectionString, max: 4 })
    return { pool, client: pool as PostgresClient<unknown> }
  },
  'Kysely on the oldest pg': (url) => kysely(new oldest.Pool({ connectionString: url, max: 4 })),
  'Kysely on the newest pg': (url) => kysely(new Pool({ connectionString: url, max: 4 })),
}

function kysely(pool: Pool): Given {
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
  return { pool, client: fromKysely(db, { pool }) as PostgresClient<unknown> }
}

// A bug: older releases of `pg` do not tell whether a transaction is open on a client, and Kysely
// takes its clients from the pool by itself. What a store wrote became part of a transaction that
// somebody else had left open, and was lost with it after it was reported as stored.
describe.each(Object.entries(clients))(
  'a client given back with a transaction open, %s',
  (_, on) => {
    const database = testDatabase()

    async function given() {
      const { pool, client } = on(database.url())
      pool.on('error', () => {})
      const release = async (): Promise<string> => {
        const theirs = randomUUID()
        const used = await pool.connect()
        await used.query('begin')
        await used.query('insert into orders values ($1)', [theirs])
        used.release()
        return theirs
      }
      return { pool, client, release }
    }

    test('gets no claim and no completion of lease mode', async () => {
      const { pool, client, release } = await given()
      const store = postgresStore({ client, mode: 'lease' })
      const elsewhere = storeOn(database.pool(), { mode: 'lease' })
      const theirs = [await release()]
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      expect(said(await elsewhere.begin(again(claim)))).toBe('in-progress')
      theirs.push(await release())
      expect(await attempt.complete(kept('charged'))).toBe('stored')
      expect(said(await elsewhere.begin(again(claim)))).toBe('replay 201 charged')
      for (const id of theirs) expect(await database.hasOrder(id)).toBe(false)
      await pool.end()
    })

    test('gets no transaction of a handler', async () => {
      const { pool, client, release } = await given()
      const store = postgresStore({ client })
      const theirs = await release()
      const attempt = attemptOf(await store.begin(claimOf()))
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await database.hasOrder(theirs)).toBe(false)
      await pool.end()
    })
  },
)

// A bug: a client that could not be asked whether a transaction is open on it was never given back,
// and its place in the pool was lost.
test.each([
  { connection: 'dies', end: (stream: Socket) => stream.destroy() },
  { connection: 'is silent', end: (stream: Socket) => stream.pause() },
])('a client whose connection $connection while it is asked leaves the pool', async ({ end }) => {
  const connectionString = database.url()
  const pool = new oldest.Pool({ connectionString, max: 1, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => {})
  pool.once('acquire', (client) => end((client as unknown as Connected).connection.stream))
  const { client } = kysely(pool)
  const store = postgresStore({ client })
  const claim = claimOf()
  await expect(store.begin(claim)).rejects.toThrow()
  const attempt = attemptOf(await store.begin(again(claim)))
  expect(await attempt.complete(kept('done'))).toBe('stored')
  await pool.end()
})

interface Connected {
  readonly connection: { readonly stream: Socket }
}

const database = testDatabase()
