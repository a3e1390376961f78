import { randomUUID } from 'node:crypto'
import type { Store } from '@oncekey/core'
import { inbox, postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bridges } from '../bridges/driven/all.ts'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const database = testDatabase()
const modes = ['transaction', 'lease'] as const
const insert = 'insert into orders values ($1)'
const reader = `reader_${randomUUID().slice(0, 8)}`

beforeAll(() => database.query(`create role ${reader}`))
afterAll(() => database.query(`drop owned by ${reader}; drop role ${reader}`))

describe.each(wires)('a handler that changes its session, $wire', ({ pipeline, prepare }) => {
  describe.each(modes)('in %s mode', (mode) => {
    const open = async () => {
      const pool = database.pool({ max: 3, pipeline })
      const store = storeOn(pool, { mode, prepare, maxConcurrent: 1 })
      const claim = claimOf({ scope: 'José' })
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx.query(insert, [claim.key])
      return { pool, store, claim, attempt, tx }
    }

    // A bug: PostgreSQL converted the values, and the record was kept under the scope 'JosÃ©',
    // where no retry found it, so the retry wrote once more.
    test.each(['set', 'set local'])(
      'to another encoding by %s keeps nothing, and the retry runs',
      async (set) => {
        const { pool, store, claim, attempt, tx } = await open()
        await tx.query(`${set} client_encoding = 'LATIN1'`)
        await expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
          code: 'transaction-aborted',
          message: expect.stringContaining('RESET client_encoding'),
        })
        expect(await database.hasOrder(claim.key)).toBe(false)
        const retry = attemptOf(await store.begin(again(claim)))
        expect(await retry.complete(kept('again'))).toBe('stored')
        expect(said(await store.begin(again(claim)))).toBe('replay 201 again')
        await expectEncoding(pool)
      },
    )

    test('to another encoding and back does not affect its response', async () => {
      const { store, claim, attempt, tx } = await open()
      await tx.query("set client_encoding = 'LATIN1'")
      await tx.query('reset client_encoding')
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
    })

    test('to another encoding does not affect a refusal', async () => {
      const { store, claim, attempt, tx } = await open()
      if (mode === 'transaction') await tx.query("set client_encoding = 'LATIN1'")
      expect(await attempt.complete(refused('no'))).toBe('stored')
      expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
    })

    // A bug: the attempt's mark was a setting, which RESET ALL removed. So the completion took the
    // transaction for one that the handler had ended, and spent the key although nothing was
    // stored.
    test('back to its defaults by RESET ALL does not affect its response', async () => {
      const { store, claim, attempt, tx } = await open()
      await tx.query('reset all')
      expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
      expect(await database.hasOrder(claim.key)).toBe(true)
      expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
    })
  })

  test('back to its defaults does not affect a route without a key or an inbox', async () => {
    const pool = database.pool({ max: 3, pipeline })
    const attempt = await storeOn(pool, { prepare }).open({ leaseMs: 60_000 })
    await (await attempt.transaction()).query('reset all')
    expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    const taken = await inbox({ client: pool, consumer: 'billing', prepare }).take(
      randomUUID(),
      ({ transaction }) => transaction.query('reset all'),
    )
    expect(taken.kind).toBe('done')
  })

  // A bug: each claim failed with 42501, and each time the session went back to its pool as if it
  // were fit.
  test.each([`set role ${reader}`, "set client_encoding = 'LATIN1'"])(
    'by %s, for good, fails one request',
    async (set) => {
      for (const mode of modes) {
        const pool = database.pool({ max: 3, pipeline })
        const store = storeOn(pool, { mode, prepare })
        await leftBehind(pool, set)
        await servesAgain(store)
        await Promise.all([1, 2, 3].map(() => servesAgain(store)))
      }
    },
  )
})

describe.each(bridges.filter(({ name }) => name !== 'pg'))('$name', ({ open }) => {
  test('a role left in a session goes away with the session', async () => {
    const bridge = await open({ url: database.url(), max: 3 })
    const store = postgresStore({ client: bridge.client, maxConcurrent: 3 })
    const begin = async () => attemptOf(await store.begin(claimOf()))
    const attempts = [await begin(), await begin(), await begin()]
    for (const attempt of attempts)
      await bridge.raw(await attempt.transaction(), `set role ${reader}`)
    for (const attempt of attempts) expect(await attempt.complete(kept('done'))).toBe('stored')
    await servesAgain(store)
    await bridge.end()
  })
})

// A bug: CASE … END looks as if it might end a transaction, so the store asks the server. A server
// process whose activity is not tracked counted as one whose transaction had ended: the key was
// spent although nothing had been done.
test.each(modes)(
  'a server that tracks no activities does not spend keys, in %s mode',
  async (mode) => {
    const { pathname } = new URL(database.url())
    await database.query(`alter database ${pathname.slice(1)} set track_activities = off`)
    const store = storeOn(database.pool({ max: 3 }), { mode, maxConcurrent: 1 })
    for (const end of ['refuse', 'release'] as const) {
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      await (await attempt.transaction()).query('select case when true then 1 end')
      if (end === 'refuse') expect(await attempt.complete(refused('no'))).toBe('stored')
      else await attempt.release()
      const then = await store.begin(again(claim))
      expect(said(then)).toBe(end === 'refuse' ? 'replay 422 no' : 'run')
      if (then.kind === 'run') await then.attempt.release()
    }
    await database.query(`alter database ${pathname.slice(1)} reset track_activities`)
  },
)

async function leftBehind(pool: Pool, set: string): Promise<void> {
  const clients: PoolClient[] = await Promise.all([1, 2, 3].map(() => pool.connect()))
  for (const client of clients) await client.query(set)
  for (const client of clients) client.release()
}

async function expectEncoding(pool: Pool): Promise<void> {
  const clients = await Promise.all([1, 2, 3].map(() => pool.connect()))
  const encodings = await Promise.all(clients.map((each) => each.query('show client_encoding')))
  for (const client of clients) client.release()
  expect(encodings.map(({ rows }) => rows[0].client_encoding)).toEqual(['UTF8', 'UTF8', 'UTF8'])
}

/** Tries as often as there are sessions, because each try may meet a changed one. */
async function servesAgain(store: Store): Promise<void> {
  await waitFor(
    async () => {
      const attempt = attemptOf(await store.begin(claimOf({ scope: 'José' })))
      return (await attempt.complete(kept('done'))) === 'stored'
    },
    { what: 'the pool to be whole again' },
  )
}
