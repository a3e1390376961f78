import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { waitFor } from '@oncekey/test-servers'
import postgres, { type Sql } from 'postgres'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { everyConnection } from './driven/postgres-js.ts'

const database = testDatabase()

/**
 * postgres.js 3.4.9 leaves a transaction open in its pool when BEGIN is the hundred-and-first
 * statement on a connection (#1189).
 */
describe('a BEGIN that fills a pipeline of postgres.js', () => {
  // A bug: what the application wrote next was reported as done, and was never committed.
  test('loses nothing that the application is told is written', async () => {
    const sql = await pool()
    const store = postgresStore({ client: fromPostgresJs(sql) })
    const { freed } = await fullPipeline(sql)
    const claim = claimOf()
    const beginning = store.begin(claim)
    await settled()
    const told = await outcomes(Array.from({ length: 8 }, () => insert(sql)))
    const attempt = attemptOf(await beginning)
    await (await attempt.transaction())`insert into orders values (${claim.key})`
    expect(await attempt.complete(kept('done'))).toBe('stored')
    await freed()
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
    told.push(...(await outcomes(Array.from({ length: 8 }, () => insert(sql)))))
    await noneOpen()
    expect(told.filter(({ id }) => id !== undefined).length).toBeGreaterThanOrEqual(8)
    await recorded(told)
    await whole(sql)
  })

  // A bug: completions were written in the open transaction and were reported as `stored`.
  test('of the application itself loses no completion of lease mode', async () => {
    const sql = await pool(4)
    const store = postgresStore({ client: fromPostgresJs(sql), mode: 'lease' })
    const claims = Array.from({ length: 6 }, () => claimOf())
    const attempts = await Promise.all(
      claims.map(async (claim) => attemptOf(await store.begin(claim))),
    )
    const { freed } = await fullPipeline(sql)
    const stray = sql.begin((tx) => tx`select 1`)
    await settled()
    const stored = Promise.all(attempts.map((attempt) => attempt.complete(kept('done'))))
    await expect(stray).rejects.toMatchObject({ code: 'UNSAFE_TRANSACTION' })
    expect(await stored).toEqual(claims.map(() => 'stored'))
    const rows = await database.query<{ key: string }>('select key from oncekey.records')
    expect(rows.map(({ key }) => key)).toEqual(expect.arrayContaining(claims.map(({ key }) => key)))
    await freed()
    await noneOpen()
    await whole(sql)
  })

  // A bug of ours that was mended: after a failed statement, our BEGIN failed on its connection,
  // too, and postgres.js never handed out that connection again.
  test('costs no connection, if a statement fails in the open transaction', async () => {
    const { sql, store } = await used()
    const { freed } = await fullPipeline(sql)
    const serve = async () => attemptOf(await store.begin(claimOf())).complete(kept('done'))
    const serving = [serve()]
    await settled()
    const failing = outcomes([sql`select 1 / ${0}::int`.then(() => '')])
    await settled()
    serving.push(serve(), serve(), serve())
    await failing
    await freed()
    expect(await Promise.all(serving)).toEqual(Array.from({ length: 4 }, () => 'stored'))
    await noneOpen()
    await whole(sql)
  })

  // A bug: every session with the same application_name that looked like a stray was ended, also
  // those of other processes.
  test('ends no session of another process', async () => {
    const theirs = postgres(database.url(), { max: 1, onnotice: () => {} })
    const other = await theirs.reserve()
    await other`begin`
    await expect(other`select 1 / ${0}::int`).rejects.toThrow('division by zero')
    await expect(other`begin `).rejects.toMatchObject({ code: '25P02' })
    const [looks] = await database.query<{ state: string; query: string }>(
      "select state, query from pg_stat_activity where state ~ 'aborted'",
    )
    expect(looks).toEqual({ state: 'idle in transaction (aborted)', query: 'begin ' })

    const { sql, store } = await used()
    const { freed } = await fullPipeline(sql)
    const serve = async () => attemptOf(await store.begin(claimOf())).complete(kept('done'))
    const serving = [serve()]
    await settled()
    const failing = outcomes([sql`select 1 / ${0}::int`.then(() => '')])
    await settled()
    serving.push(serve(), serve())
    await failing
    await freed()
    expect(await Promise.all(serving)).toEqual(Array.from({ length: 3 }, () => 'stored'))
    await whole(sql)

    await other`rollback`
    other.release()
    await theirs.end({ timeout: 2 })
  })
})

test('a database that is read only by default stays so in a handler of postgres.js', async () => {
  const connection = { default_transaction_read_only: true }
  const sql = postgres(database.url(), { max: 3, connection, onnotice: () => {} })
  const store = postgresStore({ client: fromPostgresJs(sql) })
  await expect(store.begin(claimOf())).rejects.toMatchObject({
    code: 'store-unavailable',
    message: expect.stringContaining('takes no writes'),
  })
  await sql.end({ timeout: 2 })
})

/** A pool with all its connections open. */
async function pool(max = 3): Promise<Sql> {
  const sql = postgres(database.url(), { max, onnotice: () => {} })
  await (await everyConnection(sql))()
  return sql
}

/** A pool each of whose connections has served the store. */
async function used() {
  const sql = await pool()
  const store = postgresStore({ client: fromPostgresJs(sql), maxConcurrent: sql.options.max })
  const claims = Array.from({ length: sql.options.max }, () => store.begin(claimOf()))
  for (const decision of await Promise.all(claims)) await attemptOf(decision).release()
  return { sql, store }
}

/** Takes all connections but one, and leaves room for one statement in the last one's pipeline. */
async function fullPipeline(sql: Sql): Promise<{ freed(): Promise<unknown> }> {
  const held: (() => unknown)[] = []
  const others = Array.from({ length: sql.options.max - 1 }, async () => {
    await new Promise<void>((here) => {
      const ended = sql.begin(async () => {
        here()
        await new Promise<void>((end) => {
          held.push(() => {
            end()
            return ended
          })
        })
      })
    })
  })
  await Promise.all(others)
  const first = sql`select pg_sleep(0.5)`.execute()
  const rest = Array.from({ length: 99 }, () => sql`select 1`.execute())
  await settled()
  return { freed: () => Promise.all([first, ...rest, ...held.map((end) => end())]) }
}

/** Resolves when all statements built so far have been sent. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

async function insert(sql: Sql): Promise<string> {
  const id = randomUUID()
  await sql`insert into orders values (${id})`
  return id
}

async function outcomes(work: readonly Promise<string>[]): Promise<{ id?: string }[]> {
  const ends = await Promise.allSettled(work)
  return ends.map((end) => (end.status === 'fulfilled' ? { id: end.value } : {}))
}

async function recorded(told: readonly { id?: string }[]): Promise<void> {
  const ids = told.flatMap(({ id }) => id ?? [])
  const rows = await database.query('select from orders where id = any($1)', [ids])
  expect(rows).toHaveLength(ids.length)
}

async function noneOpen(): Promise<void> {
  const open =
    "select from pg_stat_activity where datname = current_database() and state ~ 'idle in tr'"
  await waitFor(async () => (await database.query(open)).length === 0, {
    what: 'no session to be in a transaction',
  })
}

/** Checks that every connection of the pool can be taken. */
async function whole(sql: Sql): Promise<void> {
  await (await everyConnection(sql))()
  await sql.end({ timeout: 2 })
}
