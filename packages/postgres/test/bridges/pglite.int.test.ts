import { randomUUID } from 'node:crypto'
import { PGlite, type Transaction } from '@electric-sql/pglite'
import { describeStore } from '@oncekey/conformance'
import type { OutboxEvent, Store } from '@oncekey/core'
import { migrate, postgresStore, purge } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { unseen, WITH_ESCAPES } from '../database/unseen.ts'

let db: PGlite
beforeAll(async () => {
  db = new PGlite()
  await migrate(fromPglite(db))
  await db.query('create table orders (id text primary key)')
})
afterAll(() => db.close())

const hasOrder = async (id: string): Promise<boolean> =>
  (await db.query('select from orders where id = $1', [id])).rows.length === 1

describeStore<Transaction>({
  name: 'pglite',
  modelRuns: 20,
  create: () => ({
    store: postgresStore({ client: fromPglite(db) }),
    write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
    fail: (tx) => tx.query('select 1 / 0').catch(() => {}),
    async written(id, within) {
      const { rows } = await (within ?? db).query('select from orders where id = $1', [id])
      return rows.length === 1
    },
    async events() {
      const { rows } = await db.query<OutboxEvent>(
        `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
           occurred_at as "occurredAt"
         from oncekey.outbox order by seq`,
      )
      return rows
    },
    async expireResults() {
      await purge(fromPglite(db), { resultRetentionMs: 0, limit: 100_000 })
    },
  }),
})

describe('one session', () => {
  const store = (options = {}): Store<Transaction> =>
    postgresStore({ client: fromPglite(db), ...options })

  test('attempts run one after the other, and a claim on a running key is answered at once', async () => {
    const running = claimOf()
    const asked = store()
    const first = attemptOf(await asked.begin(running))
    const second = asked.begin(claimOf())
    expect(said(await asked.begin(again(running)))).toBe('in-progress')
    expect(said(await asked.begin(again(running, { fingerprints: ['x'] })))).toBe('mismatch')
    await first.complete(kept('done'))
    await attemptOf(await second).release()
  })

  test('a queued claim is answered as soon as another attempt has its key', async () => {
    const [running, queued] = [claimOf(), claimOf()]
    const asked = store()
    const first = attemptOf(await asked.begin(running))
    const second = asked.begin(queued)
    const third = asked.begin(again(queued))
    const fourth = asked.begin(again(queued, { fingerprints: ['x'] }))
    await first.release()
    const attempt = attemptOf(await second)
    expect(said(await third)).toBe('in-progress')
    expect(said(await fourth)).toBe('mismatch')
    await attempt.release()
  })

  test('a claim that waits too long in the queue gets an error', async () => {
    const asked = store({ acquireTimeoutMs: 1_000 })
    const first = attemptOf(await asked.begin(claimOf()))
    await expect(asked.begin(claimOf())).rejects.toMatchObject({ code: 'store-busy' })
    await first.release()
    await attemptOf(await asked.begin(claimOf())).release()
  })

  test('a claim that waits too long for somebody else’s transaction gets an error', async () => {
    const asked = store({ acquireTimeoutMs: 50 })
    const claim = claimOf()
    await db.transaction(async () => {
      await expect(asked.begin(claim)).rejects.toMatchObject({ code: 'store-busy' })
      const keyless = await asked.open({ leaseMs: 1_000 })
      await expect(keyless.transaction()).rejects.toMatchObject({ code: 'store-busy' })
    })
    await attemptOf(await store().begin(again(claim))).release()
  })

  // A query on the database waits for the transaction to end, so a handler that queries it waits,
  // too.
  test('a handler that queries the database beside its transaction continues once that is ended', async () => {
    const attempt = attemptOf(await store().begin(claimOf()))
    const stuck = db.query('select 1 as one')
    await attempt.abandon()
    expect((await stuck).rows).toEqual([{ one: 1 }])
  })

  // If this timeout fires, PGlite spins for ever and blocks the event loop.
  test('no idle_in_transaction_session_timeout is ever set', async () => {
    const attempts = [
      attemptOf(await store().begin(claimOf({ leaseMs: 1 }))),
      await store().open({ leaseMs: 1 }),
    ]
    for (const attempt of attempts) {
      const tx = await attempt.transaction()
      const { rows } = await tx.query('show idle_in_transaction_session_timeout')
      expect(rows).toEqual([{ idle_in_transaction_session_timeout: '0' }])
      await attempt.release()
    }
  })

  test.each(['read committed', 'repeatable read', 'serializable'] as const)(
    'the handler gets isolation %s',
    async (isolation) => {
      const claim = claimOf()
      const asked = store({ isolation })
      const attempt = attemptOf(await asked.begin(claim))
      const { rows } = await (await attempt.transaction()).query('show transaction_isolation')
      expect(rows).toEqual([{ transaction_isolation: isolation }])
      await attempt.complete(kept('done'))
      expect(said(await asked.begin(again(claim)))).toBe('replay 201 done')
    },
  )
})

describe('the transaction a handler gets', () => {
  const begin = async ({ keyless = false } = {}) => {
    const store = postgresStore({ client: fromPglite(db) })
    const claim = claimOf()
    const attempt = keyless
      ? await store.open({ leaseMs: 60_000 })
      : attemptOf(await store.begin(claim))
    return { store, claim, attempt, tx: await attempt.transaction() }
  }

  test('is PGlite’s own, and cannot be ended', async () => {
    const { attempt, tx } = await begin()
    const id = randomUUID()
    await tx.sql`insert into orders values (${id})`
    await tx.exec('savepoint a; rollback to a')
    for (const end of [
      () => tx.query('commit'),
      () => tx.exec(' ROLLBACK'),
      () => tx.sql`commit`,
    ]) {
      await expect(end()).rejects.toMatchObject({ code: 'transaction-control' })
    }
    expect(() => tx.rollback()).toThrow(expect.objectContaining({ code: 'transaction-control' }))
    expect(tx.closed).toBe(false)
    expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    for (const late of [
      () => tx.query('select 1'),
      () => tx.exec('select 1'),
      () => tx.sql`select 1`,
    ]) {
      await expect(late()).rejects.toMatchObject({ code: 'transaction-over' })
    }
    expect(await hasOrder(id)).toBe(true)
  })

  test('that the handler ended itself stores nothing and is an error', async () => {
    const { attempt, tx, store, claim } = await begin()
    await tx.exec(WITH_ESCAPES)
    await tx.exec(unseen('commit'))
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-ended',
    })
    expect(said(await store.begin(again(claim)))).toBe('result-gone')
  })

  // A bug: its clock counts milliseconds, and only these were compared. About every second such
  // COMMIT was taken for none: the refusal was stored, or the key was free and the retry wrote
  // again.
  test.each(['refused', 'abandoned', 'released', 'without a key'])(
    'that the handler ended itself is seen in the same millisecond: %s',
    async (how) => {
      for (let time = 0; time < 20; time++) {
        const { attempt, store, claim, tx } = await begin({ keyless: how === 'without a key' })
        await tx.exec(WITH_ESCAPES)
        await tx.exec(unseen('commit'))
        const end = {
          refused: () => attempt.complete(refused('no')),
          abandoned: () => attempt.abandon(),
          released: () => attempt.release(),
          'without a key': () => attempt.complete(refused('no')),
        }[how]
        await expect(end?.()).rejects.toMatchObject({ code: 'transaction-ended' })
        if (how === 'without a key') continue
        expect(said(await store.begin(again(claim)))).toBe('result-gone')
      }
    },
  )

  test('with an SQL error that the handler swallowed stores nothing and is an error', async () => {
    const { attempt, tx, store, claim } = await begin()
    const id = randomUUID()
    await tx.query('insert into orders values ($1)', [id])
    await tx.query('select 1 / 0').catch(() => {})
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(await hasOrder(id)).toBe(false)
    await attemptOf(await store.begin(again(claim))).release()
  })

  test('that violates a constraint deferred to COMMIT is the handler’s error', async () => {
    await db.query('create table deferred (id int primary key deferrable initially deferred)')
    const { attempt, tx, store, claim } = await begin()
    await tx.query('insert into deferred values (1), (1)')
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
      cause: expect.objectContaining({ code: '23505' }),
    })
    await attemptOf(await store.begin(again(claim))).release()
  })

  test('with a failed statement can be refused, and the refusal is kept', async () => {
    const { attempt, tx, store, claim } = await begin()
    await tx.query('select 1 / 0').catch(() => {})
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
  })
})
