import { randomUUID } from 'node:crypto'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromSlonik, slonikDriver } from '@oncekey/postgres/slonik'
import { startProxy } from '@oncekey/test-servers'
import { createPgDriverFactory } from '@slonik/pg-driver'
import { type ClientConfigurationInput, createPool, type DatabasePool, sql } from 'slonik'
import { afterEach, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { codeOf, errorOf } from './open-transactions.ts'

const database = testDatabase()
const pools: DatabasePool[] = []
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()))
})

async function poolWith(
  configuration: ClientConfigurationInput = {},
  url: string = database.url(),
): Promise<DatabasePool> {
  const driverFactory = slonikDriver(createPgDriverFactory())
  const pool = await createPool(url, { driverFactory, ...configuration })
  pools.push(pool)
  return pool
}

const insert = (id: string) => sql.unsafe`insert into orders values (${id})`

test('migrates, though Slonik refuses the reply to several statements in one text', async () => {
  await migrate(fromSlonik(await poolWith()), { schema: 'through_slonik' })
  expect(await database.query('select from through_slonik.records')).toEqual([])
})

test('interceptors are the handler’s: ours are neither renamed, nor answered by one', async () => {
  const seen: string[] = []
  const elsewhere = await poolWith()
  const pool = await poolWith({
    interceptors: [
      {
        name: 'test',
        beforePoolConnection: () => elsewhere,
        beforeQueryExecution(_, { sql: text }) {
          seen.push(text)
          return null
        },
        transformRow: (_context, _query, row) =>
          Object.fromEntries(Object.entries(row).map(([name, value]) => [`my_${name}`, value])),
      },
    ],
  })
  // Twice: the interceptors are taken over only once.
  fromSlonik(pool)
  const store = postgresStore({ client: fromSlonik(pool) })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  const tx = await attempt.transaction()
  expect(await tx.one(sql.unsafe`select 1 as one`)).toEqual({ my_one: 1 })
  expect(elsewhere.state().idleConnections).toBe(0)
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  expect(seen).toEqual(['select 1 as one'])
})

// Behind a ROLLBACK that is not answered yet it would be sent, and be committed by itself.
test('a statement that an interceptor kept back until ROLLBACK was sent is refused', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  let goOn: () => void = () => {}
  const held = new Promise<null>((resolve) => {
    goOn = () => resolve(null)
  })
  const interceptors = [{ name: 'slow', beforeQueryExecution: () => held }]
  const pool = await poolWith({ interceptors }, proxy.through(database.url()))
  const store = postgresStore({ client: fromSlonik(pool) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  const ids = [randomUUID(), randomUUID()]
  const writes = ids.map((id) => errorOf(() => tx.query(insert(id))))
  const undoing = proxy.delayBefore((sent) => sent.includes('ROLLBACK'), 100)
  const ended = attempt.abandon()
  await undoing
  goOn()
  for (const write of writes) expect(codeOf(await write)).toBe('transaction-over')
  await ended
  for (const id of ids) expect(await database.hasOrder(id)).toBe(false)
  await pool.end()
  await proxy.stop()
})

// Slonik sends ROLLBACK TO ahead of the statements that wait for their turn.
test('what a savepoint wrote beside a statement that failed is undone with it', async () => {
  const store = postgresStore({ client: fromSlonik(await poolWith()) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  const [taken, ...others] = Array.from({ length: 5 }, () => randomUUID()) as [string]
  await tx.query(insert(taken))
  const nested = tx.transaction((inner) =>
    Promise.all([taken, ...others].map((id) => inner.query(insert(id)))),
  )
  await expect(nested).rejects.toThrow()
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(await database.hasOrder(taken)).toBe(true)
  for (const id of others) expect(await database.hasOrder(id)).toBe(false)
})

test('COMMIT in a fragment of a query is refused', async () => {
  const store = postgresStore({ client: fromSlonik(await poolWith()) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  const commit = sql.fragment`commit`
  for (const query of [sql.unsafe`${commit}`, sql.unsafe`select 1; ${commit}`]) {
    expect(codeOf(await errorOf(() => tx.any(query)))).toBe('transaction-control')
  }
  await attempt.release()
})

// A bug: after it the first one counted as open, and the record was to be sent through that.
test('a savepoint that waits for the end of another one leaves the transaction usable', async () => {
  const store = postgresStore({ client: fromSlonik(await poolWith()) })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  const tx = await attempt.transaction()
  const [first, second] = [randomUUID(), randomUUID()]
  await new Promise((resolve) => {
    void tx.transaction(async (inner) => {
      void inner.query(insert(first))
      // After the callback has returned, and before the statement is answered.
      process.nextTick(() => resolve(tx.transaction((other) => other.query(insert(second)))))
    })
  })
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(await database.hasOrder(first)).toBe(true)
  expect(await database.hasOrder(second)).toBe(true)
  expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
})
