import { once } from 'node:events'
import type { Claim } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { fromKysely } from '@oncekey/postgres/kysely'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { waitFor } from '@oncekey/test-servers'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Pool, PoolClient, Submittable } from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import postgres, { type TransactionSql } from 'postgres'
import { beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { testDatabase, wires } from '../database/test-database.ts'

const COPY = "copy (select repeat('x', 1000) from generate_series(1, 20000)) to stdout"
const kyselyDatabase = testDatabase()
const MANY = 'select n, repeat($1, 1000) from generate_series(1, 20000) n'

// A pool in pipeline mode refuses cursors, streams and COPY; `pg` itself reports that.
describe.each(wires.filter(({ pipeline }) => !pipeline))(
  'what a handler leaves open when it answers, $wire',
  ({ prepare }) => {
    const database = testDatabase()
    const pool = () => database.pool({ max: 3 })

    beforeAll(async () => {
      await database.query('create table copied (line text)')
    })

    const open = {
      'a cursor': async (tx: PoolClient) => {
        const cursor = tx.query(new Cursor(MANY, ['x']))
        expect(await cursor.read(3)).toHaveLength(3)
      },
      'a cursor that was not read': async (tx: PoolClient) => {
        tx.query(new Cursor(MANY, ['x']))
      },
      'a query stream': async (tx: PoolClient) => {
        const stream = tx.query(new QueryStream(MANY, ['x'], { highWaterMark: 2 }))
        await once(stream, 'readable')
      },
      'a COPY out of the server': async (tx: PoolClient) => {
        const out = tx.query(
          copyTo("copy (select repeat('x', 1000) from generate_series(1, 2000)) to stdout"),
        )
        await once(out, 'readable')
      },
    } as const

    test.each(Object.keys(open) as (keyof typeof open)[])(
      '%s is closed, and the handler’s writes are committed',
      async (what) => {
        for (const mode of ['transaction', 'lease'] as const) {
          const client = pool()
          const store = postgresStore({ client, prepare, mode, commitTimeoutMs: 20_000 })
          const claim = claimOf()
          const attempt = attemptOf(await store.begin(claim))
          const tx = await attempt.transaction()
          await tx.query('insert into orders values ($1)', [claim.key])
          await open[what](tx)
          expect(await attempt.complete(kept('done'))).toBe('stored')
          expect(await database.hasOrder(claim.key)).toBe(true)
          expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
          await whole(client)
        }
      },
    )

    test('a cursor is also closed before an undo', async () => {
      const client = pool()
      const store = postgresStore({ client, prepare, commitTimeoutMs: 3_000 })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      await open['a cursor'](await attempt.transaction())
      expect(await attempt.complete(refused('no'))).toBe('stored')
      const other = attemptOf(await store.begin(claimOf()))
      await open['a cursor'](await other.transaction())
      await other.release()
      await whole(client)
    })

    test('a COPY into the server fails, and takes no rows after the response', async () => {
      const client = pool()
      const store = postgresStore({ client, prepare, commitTimeoutMs: 3_000 })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      const copy = tx.query(
        copyFrom('copy copied from stdin') as Submittable & ReturnType<typeof copyFrom>,
      )
      copy.write('before\n')
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
        code: 'transaction-aborted',
      })
      copy.write('after\n')
      await whole(client)
      expect(await database.query('select line from copied')).toEqual([])
      const retry = attemptOf(await store.begin(again(claim)))
      expect(await retry.complete(kept('done'))).toBe('stored')
    })
  },
)

/** The same tests in a transaction of postgres.js. */
describe('what a handler leaves open when it answers, postgres.js', () => {
  const database = testDatabase()

  beforeAll(async () => {
    await database.query('create table copied (line text)')
  })

  const open = {
    'a cursor': async (tx: TransactionSql) => {
      const rows = tx.unsafe(MANY, ['x']).cursor(10)[Symbol.asyncIterator]()
      expect((await rows.next()).value).toHaveLength(10)
    },
    'a cursor that waits for its callback': async (tx: TransactionSql) => {
      await new Promise<void>((resolve) => {
        const taking = tx.unsafe(MANY, ['x']).cursor(10, () => {
          resolve()
          return new Promise(() => {})
        })
        taking.catch(() => {})
      })
    },
    'a COPY out of the server': async (tx: TransactionSql) => {
      await once(await tx.unsafe(COPY).readable(), 'readable')
    },
    'a COPY out of the server, destroyed half-way': async (tx: TransactionSql) => {
      const out = await tx.unsafe(COPY).readable()
      await once(out, 'readable')
      out.destroy()
    },
  } as const

  // A bug: a COPY kept its connection for good, because its stream made the socket wait, so three
  // requests used up a pool of three. Every later request, and every retry, was given up after
  // commitTimeoutMs.
  test.each(Object.keys(open) as (keyof typeof open)[])(
    '%s is closed, and what was written is committed or undone',
    async (what) => {
      const sql = postgres(database.url(), { max: 3 })
      for (const mode of ['transaction', 'lease'] as const) {
        const store = postgresStore({ client: fromPostgresJs(sql), mode, commitTimeoutMs: 20_000 })
        const begin = async (claim: Claim) => {
          const attempt = attemptOf(await store.begin(claim))
          const tx = await attempt.transaction()
          await tx`insert into orders values (${claim.key})`
          await open[what](tx)
          return attempt
        }
        const claim = claimOf()
        expect(await (await begin(claim)).complete(kept('done'))).toBe('stored')
        expect(await database.hasOrder(claim.key)).toBe(true)
        expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
        const no = claimOf()
        expect(await (await begin(no)).complete(refused('no'))).toBe('stored')
        await (await begin(claimOf())).release()
        expect(await database.hasOrder(no.key)).toBe(false)
        await Promise.all([1, 2, 3].map(() => sql.begin((tx) => tx`select 1`)))
      }
      await sql.end({ timeout: 5 })
    },
  )

  // A bug: the COPY's connection was cut later, and the stream's 'error', for which nobody
  // listened, ended the process.
  test('a COPY into the server fails, and takes no rows after the response', async () => {
    const sql = postgres(database.url(), { max: 3 })
    const store = postgresStore({ client: fromPostgresJs(sql), commitTimeoutMs: 20_000 })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const copy = await (await attempt.transaction())`copy copied from stdin`.writable()
    copy.write('before\n')
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    copy.write('after\n')
    expect(await database.query('select line from copied')).toEqual([])
    const retry = attemptOf(await store.begin(again(claim)))
    expect(await retry.complete(kept('done'))).toBe('stored')
    await sql.end({ timeout: 5 })
  })
})

// A bug: Kysely sends nothing until the stream ends, even if the server's process is gone, so the
// connection never came back.
test('an open stream of Kysely is abandoned in time, together with its connection', async () => {
  const pool = kyselyDatabase.pool({ max: 3 })
  const db = new Kysely<{ orders: { id: string } }>({
    dialect: new PostgresDialect({ pool, cursor: Cursor }),
  })
  const store = postgresStore({ client: fromKysely(db, { pool }), commitTimeoutMs: 500 })
  for (let round = 0; round < 4; round++) {
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    await tx.insertInto('orders').values({ id: claim.key }).execute()
    const numbers = sql<number>`generate_series(1, 10000)`.as('n')
    await tx.selectFrom(numbers).selectAll().stream(10)[Symbol.asyncIterator]().next()
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
    await whole(pool)
    expect(await kyselyDatabase.hasOrder(claim.key)).toBe(false)
    await attemptOf(await store.begin(again(claim))).release()
  }
})

async function whole(pool: Pool): Promise<void> {
  await waitFor(() => pool.idleCount === pool.totalCount, { what: 'all clients to be given back' })
}
