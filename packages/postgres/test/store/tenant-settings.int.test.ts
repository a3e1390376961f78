import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

// What docs/tenants.md says to those whose own tables have policies that read a setting.
const database = testDatabase()
const role = `app_${randomUUID().slice(0, 8)}`

beforeAll(async () => {
  await database.query('create table notes (tenant text not null, id text not null)')
  await database.query('alter table notes enable row level security')
  await database.query(
    `create policy own on notes using (tenant = current_setting('app.tenant', true))`,
  )
  await database.query(`create role ${role} login password 'secret'`)
  await database.query(`grant usage on schema oncekey to ${role}`)
  await database.query(`grant select, insert, update, delete on all tables in schema oncekey, public
    to ${role}`)
})
afterAll(async () => {
  await database.query(`drop owned by ${role}`)
  await database.query(`drop role ${role}`)
})

test.each(['transaction', 'lease'] as const)(
  'a setting of the transaction is what policies read, and ends with it: %s mode',
  async (mode) => {
    const url = new URL(database.url())
    Object.assign(url, { username: role, password: 'secret' })
    const pool = database.pool({ connectionString: url.href, max: 3 })
    const store = storeOn(pool, { mode, maxConcurrent: 1 })
    const claim = claimOf()
    const write = 'insert into notes values ($1, $2)'
    const setting = "select set_config('app.tenant', $1, true)"

    const without = attemptOf(await store.begin(claimOf()))
    const unset = await without.transaction()
    await expect(unset.query(write, ['acme', 'lost'])).rejects.toMatchObject({ code: '42501' })
    await without.abandon()

    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    await tx.query(setting, ['acme'])
    await tx.query(write, ['acme', claim.key])
    expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')

    const next = attemptOf(await store.begin(claimOf()))
    const { rows } = await (await next.transaction()).query('select * from notes')
    expect(rows).toEqual([])
    await next.release()
  },
)
