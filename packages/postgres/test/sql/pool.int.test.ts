import { randomUUID } from 'node:crypto'
import type { Store } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { fromKnex } from '@oncekey/postgres/knex'
import { fromKysely } from '@oncekey/postgres/kysely'
import { waitFor } from '@oncekey/test-servers'
import createKnex from 'knex'
import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'
import { describe, expect, test } from 'vitest'
import { sqlClientOf } from '../../src/bridges/postgres-client.ts'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'

const database = testDatabase()
withEscapes(database)

describe('handlers that query the pool beside their transaction', () => {
  test('all finish on a pool of two', async () => {
    const pool = database.pool({ max: 2 })
    const store = storeOn(pool)
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const attempt = attemptOf(await store.begin(claimOf()))
        await pool.query('select 1')
        return attempt.complete(kept('done'))
      }),
    )
    expect(outcomes).toEqual(Array(10).fill('stored'))
    await whole(pool)
  })

  test('would wait for each other for ever if each could take any client for its transaction', async () => {
    const pool = database.pool({ max: 2 })
    const clients = await Promise.all([pool.connect(), pool.connect()])
    const handlers = clients.map(() => pool.query('select 1'))
    expect([pool.idleCount, pool.waitingCount]).toEqual([0, 2])
    for (const client of clients) client.release()
    await Promise.all(handlers)
  })
})

// A bug: the second end was a statement on a client that the pool had lent to somebody else, and
// ended that one's transaction.
test.each(['rollback', 'commit'] as const)(
  'a transaction that is ended twice, by %s, sends nothing to the next user of its client',
  async (first) => {
    const pool = database.pool({ max: 1 })
    const nothing = { name: 'nothing', text: 'select 1', values: [] }
    const { transaction } = await sqlClientOf(pool, { prepare: false }).begin({
      isolation: 'read committed',
      first: nothing,
      timeoutMs: 5_000,
    })
    const timeoutMs = 5_000
    const end = {
      rollback: () => transaction.rollback({ timeoutMs }),
      commit: () => transaction.commit(nothing, { timeoutMs }),
    }
    await end[first]()
    const id = randomUUID()
    const next = await pool.connect()
    await next.query('begin')
    for (const again of [end.rollback, end.commit]) {
      await expect(again()).rejects.toMatchObject({ code: 'transaction-over' })
    }
    await next.query('insert into orders values ($1)', [id])
    await next.query('rollback')
    next.release()
    expect(await database.hasOrder(id)).toBe(false)
  },
)

describe('a pool with every client in use', () => {
  test('answers 503 in time, and gives back a client that comes later', async () => {
    const pool = database.pool({ max: 2 })
    const store = storeOn(pool, { acquireTimeoutMs: 1_000 })
    const clients = await Promise.all([pool.connect(), pool.connect()])
    const keyless = await store.open({ leaseMs: 1_000 })
    await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-busy' })
    await expect(keyless.transaction()).rejects.toMatchObject({ code: 'store-busy' })
    for (const client of clients) client.release()
    await whole(pool)
    await keyless.transaction()
    expect(await keyless.complete(kept('done'))).toBe('stored')
  })

  test('is not asked for more clients than it has, however many requests arrive', async () => {
    const pool = database.pool({ max: 2 })
    const store = storeOn(pool, { acquireTimeoutMs: 500 })
    const clients = await Promise.all([pool.connect(), pool.connect()])
    for (let wave = 0; wave < 10; wave += 1) {
      await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-busy' })
      expect(pool.waitingCount).toBeLessThanOrEqual(2)
    }
    for (const client of clients) client.release()
    await whole(pool)
    const asked = () => store.begin(claimOf()).catch(() => undefined)
    const decision = await waitFor(asked, { what: 'the pool to be asked again' })
    await attemptOf(decision).release()
  })

  test('whose own deadline is shorter also answers 503', async () => {
    const pool = database.pool({ max: 1, connectionTimeoutMillis: 1_000 })
    const store = storeOn(pool)
    const client = await pool.connect()
    await expect(store.begin(claimOf())).rejects.toMatchObject({
      code: 'store-busy',
      message: expect.stringContaining('timeout exceeded when trying to connect'),
    })
    client.release()
  })

  // A bug: Kysely's pool timeout was reported as `store-unavailable`, as if there were no server,
  // and Knex's as our own fault.
  test('whose own deadline is shorter is reported as busy through a bridge, too', async () => {
    const pool = database.pool({ max: 1, connectionTimeoutMillis: 300 })
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) })
    const client = await pool.connect()
    const knex = createKnex({
      client: 'pg',
      connection: database.url(),
      acquireConnectionTimeout: 300,
      pool: { min: 0, max: 1 },
    })
    const open = await knex.transaction()
    const stores: [Store, string][] = [
      [postgresStore({ client: fromKysely(db, { pool }) }), 'timeout exceeded'],
      [postgresStore({ client: fromKnex(knex) }), 'Timeout acquiring a connection'],
    ]
    for (const [store, message] of stores) {
      await expect(store.begin(claimOf())).rejects.toMatchObject({
        code: 'store-busy',
        message: expect.stringContaining(message),
      })
    }
    client.release()
    await open.rollback()
    for (const [store] of stores) await attemptOf(await store.begin(claimOf())).release()
    await knex.destroy()
  })
})

describe('with every place taken by slow handlers', () => {
  test('finished keys are replayed at once, and new ones wait their turn', async () => {
    const pool = database.pool({ max: 4 })
    const store = storeOn(pool, { maxConcurrent: 2 })
    const finished = claimOf()
    await attemptOf(await store.begin(finished)).complete(kept('done'))
    const slow = [attemptOf(await store.begin(claimOf())), attemptOf(await store.begin(claimOf()))]

    const replays = Array.from({ length: 50 }, () => store.begin(again(finished)))
    for (const decision of await Promise.all(replays)) {
      expect(said(decision)).toBe('replay 201 done')
    }
    expect(said(await store.begin(again(finished, { fingerprints: ['x'] })))).toBe('mismatch')

    const waiting = store.begin(claimOf())
    await slow[0]?.complete(kept('done'))
    const late = attemptOf(await waiting)
    await Promise.all([late.release(), slow[1]?.release()])
    await whole(pool)
  })

  test('a new key answers 503 in time', async () => {
    const store = storeOn(database.pool({ max: 2 }), { acquireTimeoutMs: 1_000 })
    const slow = attemptOf(await store.begin(claimOf()))
    await expect(store.begin(claimOf())).rejects.toMatchObject({
      code: 'store-busy',
      message: expect.stringContaining('maxConcurrent'),
    })
    await slow.release()
    await attemptOf(await store.begin(claimOf())).release()
  })

  test('a request whose client is gone asks for no place', async () => {
    const store = storeOn(database.pool({ max: 2 }))
    const slow = attemptOf(await store.begin(claimOf()))
    const caller = new AbortController()
    const claim = claimOf({ signal: caller.signal })
    const gone = store.begin(claim)
    const still = store.begin(again(claim))
    caller.abort()
    expect(said(await gone)).toBe('in-progress')
    await slow.release()
    await attemptOf(await still).release()
  })
})

describe('a client given back with an open transaction', () => {
  test('is not used, because statements would run in that transaction', async () => {
    const pool = database.pool({ max: 1 })
    const theirs = randomUUID()
    const client = await pool.connect()
    await client.query('begin')
    await client.query('insert into orders values ($1)', [theirs])
    client.release()
    const store = storeOn(pool)
    const attempt = attemptOf(await store.begin(claimOf()))
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(theirs)).toBe(false)
  })

  test('without the store shows the next user what was never committed', async () => {
    const pool = database.pool({ max: 1 })
    const theirs = randomUUID()
    const client = await pool.connect()
    await client.query('begin')
    await client.query('insert into orders values ($1)', [theirs])
    client.release()
    const { rowCount } = await pool.query('select from orders where id = $1', [theirs])
    expect(rowCount).toBe(1)
  })
})

describe.each(wires)('after every way an attempt can end, $wire', ({ pipeline, prepare }) => {
  test('no client, transaction or lock is left over', async () => {
    const pool = database.pool({ max: 8, pipeline, application_name: `left-${randomUUID()}` })
    const store = storeOn(pool, { prepare, acquireTimeoutMs: 60_000 })
    const ends = [
      async () => void (await attemptOf(await store.begin(claimOf())).complete(kept('done'))),
      async () => void (await attemptOf(await store.begin(claimOf())).complete(refused('no'))),
      async () => attemptOf(await store.begin(claimOf())).release(),
      async () => attemptOf(await store.begin(claimOf())).abandon(),
      async () => {
        const attempt = attemptOf(await store.begin(claimOf()))
        const tx = await attempt.transaction()
        await tx.query('select 1 / 0').catch(() => {})
        await attempt.complete(kept('done')).catch(() => {})
      },
      async () => {
        const attempt = attemptOf(await store.begin(claimOf()))
        await (await attempt.transaction()).query(unseen('commit'))
        await attempt.complete(kept('done')).catch(() => {})
      },
      async () => {
        const claim = claimOf()
        await attemptOf(await store.begin(claim)).complete(kept('done'))
        await store.begin(again(claim))
        await store.begin(again(claim, { fingerprints: ['other'] }))
      },
      async () => {
        const attempt = await store.open({ leaseMs: 1_000 })
        await attempt.transaction()
        await attempt.abandon()
      },
    ]
    await Promise.all(Array.from({ length: 200 }, (_, index) => ends[index % ends.length]?.()))
    await whole(pool)
    const left = await database.query(
      `select a.pid, a.state, l.locktype
         from pg_stat_activity a left join pg_locks l using (pid)
         where a.application_name = $1 and (a.state <> 'idle' or l.locktype is not null)`,
      [pool.options.application_name],
    )
    expect(left).toEqual([])
  })
})

async function whole(pool: Pool): Promise<void> {
  await waitFor(() => pool.idleCount === pool.totalCount && pool.waitingCount === 0, {
    what: 'all clients to be given back',
  })
}
