import { postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { nestedTransactions } from '../../src/bridges/handle/nested-transactions.ts'
import { attemptOf, claimOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

// A bug: the result of a statement is a list, and was taken for one of statements: a copy without
// its other members was returned.
test('a savepoint of postgres.js returns what its callback returned, whole', async () => {
  const sql = postgres(database.url(), { max: 1, onnotice: () => {} })
  onTestFinished(() => sql.end())
  const store = postgresStore({ client: fromPostgresJs<postgres.TransactionSql>(sql) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  const one = await tx.savepoint((inner) => inner`select 1 as one`)
  expect([one.count, one.columns?.map(({ name }) => name)]).toEqual([1, ['one']])
  const awaited = await tx.savepoint(async (inner) => await inner`select 2 as two`)
  expect([awaited.count, awaited[0]?.two]).toEqual([1, 2])
  const both = await tx.savepoint((inner) => [inner`select 1 as one`, inner`select 2 as two`])
  expect(both.map(({ count }) => count)).toEqual([1, 1])
  await attempt.release()
})

// A bug: it was waited for with each COMMIT, for as long as a COMMIT may take.
test('a call that the driver refuses at once leaves nothing to be waited for', async () => {
  const nested = nestedTransactions(
    () => undefined,
    () => {},
  )
  const refused = nested.run(() => {
    throw new Error('refused')
  })
  await expect(refused).rejects.toThrow('refused')
  expect(nested.quiet()).toBe(undefined)
})
