import { migrate } from '@oncekey/postgres'
import { migratePackage } from '@oncekey/postgres/client'
import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

/** Starts a migration while a reader holds a table's lock, as pg_dump does. */
const tables = {
  package: 'later',
  migrations: [(schema: string) => [`alter table ${schema}.records add column later text`]],
}

test('a migration beside a long reader makes nobody else wait, and completes when the reader ends', async () => {
  const pool = database.pool()
  const reader = await pool.connect()
  await reader.query('begin; select from oncekey.records')
  const migrated = migratePackage(pool, tables)
  await waitFor(
    async () =>
      (await database.query("select from pg_stat_activity where wait_event_type = 'Lock'")).length >
      0,
    { what: 'the migration to wait for the reader' },
  )
  // The migration is in the queue before these, and gives way after a time that the server
  // measures.
  const others = await pool.connect()
  await others.query("set lock_timeout = '20s'")
  await others.query('select from oncekey.records')
  others.release()
  expect(await database.query("select from oncekey.migrations where package = 'later'")).toEqual([])

  await reader.query('rollback')
  reader.release()
  await migrated
  expect(await database.query('select later from oncekey.records')).toEqual([])
  await migrate(pool)
})
