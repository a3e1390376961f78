import { randomUUID } from 'node:crypto'
import { postgresLog } from '@oncekey/postgres'
import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

/** A pool of a login that may do everything but delete the portions of redrives. */
async function poolWithout(role: string): Promise<Pool> {
  await database.query(`create role ${role} login password 'secret'`)
  await database.query(`grant usage on schema oncekey to ${role}`)
  await database.query(`grant all on all tables in schema oncekey to ${role}`)
  await database.query(`revoke delete on oncekey.redrive_portions from ${role}`)
  const url = new URL(database.url())
  url.username = role
  url.password = 'secret'
  return new Pool({ connectionString: url.href })
}

// A bug: a grant that was missing after an upgrade made every call throw, and nobody was told that
// a consumer had been abandoned, which is told once.
test('consumers are told although something cannot be deleted, and then the error', async () => {
  const role = `relay_${randomUUID().slice(0, 8)}`
  const pool = await poolWithout(role)
  const log = postgresLog({ client: pool })
  await expect(log.maintain()).rejects.toThrow('redrive_portions')
  await database.query(
    `insert into oncekey.consumers (name, seen_at, silent_at) values
       ('left', now() - interval '30 days', now() - interval '1 day'),
       ('late', now() - interval '1 day', null)`,
  )
  const told = await log.maintain()
  expect(told.abandoned).toEqual(['left'])
  expect(told.missing.map(({ consumer }) => consumer)).toEqual(['late'])
  await expect(log.maintain()).rejects.toThrow('redrive_portions')
  expect(await log.maintain()).toMatchObject({ abandoned: [], missing: [{ consumer: 'late' }] })

  await database.query(`grant delete on oncekey.redrive_portions to ${role}`)
  await expect(log.maintain()).rejects.toThrow('redrive_portions')
  for (const _ of [1, 2]) {
    expect(await log.maintain()).toMatchObject({ abandoned: [], missing: [{ consumer: 'late' }] })
  }
  await pool.end()
  await database.query(`drop owned by ${role}`)
  await database.query(`drop role ${role}`)
})
