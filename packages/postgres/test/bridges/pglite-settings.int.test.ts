import { PGlite } from '@electric-sql/pglite'
import { inbox, migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'

let db: PGlite
beforeAll(async () => {
  db = new PGlite()
  await migrate(fromPglite(db))
  await db.exec(
    'create table orders (id text primary key); create role reader; create schema other',
  )
})
afterAll(() => db.close())

const settings = [
  'reset all',
  'set role reader; reset role',
  'set search_path = other',
  'set local search_path = other',
  "set statement_timeout = '1h'",
  "set datestyle = 'German'",
  "set bytea_output = 'escape'",
  'set standard_conforming_strings = off',
  "set session_replication_role = 'replica'",
  'set default_transaction_isolation = serializable',
  'set enable_seqscan = off',
]

// PGlite has one session, so what a handler sets is still set for every later request.
describe.each(settings)('a handler on PGlite that says %s', (text) => {
  const begun = async () => {
    const store = postgresStore({ client: fromPglite(db) })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    await tx.query('insert into public.orders values ($1)', [claim.key])
    await tx.exec(text)
    return { store, claim, attempt }
  }
  const served = async (store: ReturnType<typeof postgresStore>) => {
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    expect(await attempt.complete(kept('\\ next', [eventOf()]))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 \\ next')
  }

  test('has its response stored, and so have those after it', async () => {
    const { store, claim, attempt } = await begun()
    expect(await attempt.complete(kept('\\ done', [eventOf()]))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 \\ done')
    await served(store)
    await db.exec('reset all')
  })

  test('has its refusal stored, and so have those after it', async () => {
    const { store, claim, attempt } = await begun()
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
    await served(store)
    await db.exec('reset all')
  })
})

describe.each([
  'set role reader',
  'set default_transaction_read_only = on',
  'set transaction read only',
])('a handler on PGlite that says %s', (text) => {
  test('spoils one request after it at most', async () => {
    const store = postgresStore({ client: fromPglite(db) })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).exec(text)
    const outcome = await attempt.complete(kept('done')).catch(() => 'undone')
    await store.begin(claimOf()).then(
      (next) => attemptOf(next).release(),
      (error) => expect(error).toMatchObject({ code: 'store-unavailable' }),
    )
    const retry = await store.begin(again(claim))
    if (outcome === 'stored') expect(said(retry)).toBe('replay 201 done')
    else expect(await attemptOf(retry).complete(kept('again'))).toBe('stored')
  })
})

test('RESET ALL ends neither a transaction without a key, nor one of an inbox', async () => {
  const attempt = await postgresStore({ client: fromPglite(db) }).open({ leaseMs: 60_000 })
  await (await attempt.transaction()).exec('reset all')
  expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
  const taken = await inbox({ client: fromPglite(db), consumer: 'billing' }).take(
    claimOf().key,
    async ({ transaction }) => void (await transaction.exec('reset all')),
  )
  expect(taken.kind).toBe('done')
})
