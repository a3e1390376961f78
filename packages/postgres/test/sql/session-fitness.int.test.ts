import { randomUUID } from 'node:crypto'
import type { Claim, Store } from '@oncekey/core'
import { postgresLog, postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bridges } from '../bridges/driven/all.ts'
import type { Bridge } from '../bridges/driven/bridge.ts'
import { again, attemptOf, claimOf, eventOf, kept, said } from '../database/claims.ts'
import { type ReplicatedStore, replicatedStore } from '../database/replicated-store.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const MAX = 4

describe('a pool whose connections lead to a read-only server', () => {
  let site: ReplicatedStore
  beforeAll(async () => {
    site = await replicatedStore()
  })
  afterAll(async () => {
    await site?.stop()
  })
  beforeEach(() => {
    // Simulates a name server or a proxy that has not noticed the failover yet.
    site.address.retarget(site.standby.port)
  })

  const onPrimary = (): void => site.address.retarget(site.primary.port)

  describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
    describe.each(wires)('$wire', ({ pipeline, prepare }) => {
      // A bug: the connections were given back as healthy, so every request ran its handler and got
      // 503, for ever.
      test('refuses before a handler runs, and recovers once the address is right', async () => {
        const pool = await stuck(site.pool({ max: MAX, pipeline }))
        const store = storeOn(pool, { mode, prepare })
        await expect(store.begin(claimOf())).rejects.toMatchObject({
          code: 'store-unavailable',
          message: expect.stringContaining('takes no writes'),
        })
        onPrimary()
        await servesAgain(store)
      })

      test('does not use them for routes without a key', async () => {
        const pool = await stuck(site.pool({ max: MAX, pipeline }))
        const store = storeOn(pool, { mode, prepare })
        const attempt = await store.open({ leaseMs: 60_000 })
        await expect(attempt.transaction()).rejects.toMatchObject({ code: 'store-unavailable' })
        const emitting = await store.open({ leaseMs: 60_000 })
        await expect(emitting.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
          code: 'store-unavailable',
        })
        await attempt.release()
        expect(pool.totalCount).toBe(MAX - 2)
      })

      test('replays nothing from it, because it may be the old primary of a failover', async () => {
        const claim = claimOf()
        onPrimary()
        const store = storeOn(site.pool({ max: MAX, pipeline }), { mode, prepare })
        await attemptOf(await store.begin(claim)).complete(kept('done'))
        await site.standby.caughtUp()
        site.address.retarget(site.standby.port)
        const pool = await stuck(site.pool({ max: MAX, pipeline }))
        const behind = storeOn(pool, { mode, prepare })
        await expect(behind.begin(again(claim))).rejects.toMatchObject({
          code: 'store-unavailable',
        })
        onPrimary()
        expect(said(await heals(() => behind.begin(again(claim))))).toBe('replay 201 done')
      })
    })

    test.each(['repeatable read', 'serializable'] as const)(
      'refuses in %s, too',
      async (isolation) => {
        const pool = await stuck(site.pool({ max: MAX }))
        const store = storeOn(pool, { mode, isolation })
        const runs = async () =>
          await (await attemptOf(await store.begin(claimOf())).transaction()).query('select 1')
        await expect(runs()).rejects.toMatchObject({ code: 'store-unavailable' })
        onPrimary()
        await servesAgain(store)
      },
    )
  })

  test('loses them to the log, too', async () => {
    const pool = await stuck(site.pool({ max: MAX }))
    const subscription = { consumer: 'shipping', types: null, startAt: 'beginning' } as const
    await expect(postgresLog({ client: pool }).subscribe(subscription)).rejects.toMatchObject({
      code: 'store-unavailable',
    })
    expect(pool.totalCount).toBe(MAX - 1)
  })

  describe.each(bridges)('$name', ({ open }) => {
    let bridge: Bridge
    afterEach(async () => {
      await bridge?.end()
    })

    test.each(['transaction', 'lease'] as const)(
      'refuses in %s mode before a handler runs, and recovers once the address is right',
      async (mode) => {
        bridge = await open({ url: site.url, max: MAX })
        await (await bridge.exhaust())()
        const store = postgresStore({ client: bridge.client, mode })
        await expect(store.begin(claimOf())).rejects.toMatchObject({ code: 'store-unavailable' })
        onPrimary()
        await servesAgain(store)
        const attempt = attemptOf(await heals(() => store.begin(claimOf())))
        await bridge.insert(await attempt.transaction(), randomUUID())
        expect(await attempt.complete(kept('done'))).toBe('stored')
      },
    )
  })
})

describe.each(wires)('a session that was changed, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  const one = (options?: string) =>
    database.pool({ max: 1, pipeline, ...(options !== undefined && { options }) })

  test.each(['deallocate all', 'discard all'])('by %s serves at once', async (text) => {
    const pool = one()
    const store = storeOn(pool, { prepare, maxConcurrent: 1 })
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
    await pool.query(text)
    const attempt = attemptOf(await store.begin(claimOf()))
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  // A bug: every second request got 503, because the connection was closed with its statements and
  // the next one was new.
  test.each(['transaction', 'lease'] as const)(
    'by a pool that runs DISCARD ALL whenever one comes back serves every request, in %s mode',
    async (mode) => {
      const pool = database.pool({ max: 4, pipeline })
      pool.on('release', (error, client) => {
        if (!error) client.query('discard all').catch(() => {})
      })
      const store = storeOn(pool, { prepare, mode, maxConcurrent: 2 })
      for (let round = 0; round < 10; round++) {
        const claim = claimOf()
        const attempt = attemptOf(await store.begin(claim))
        await (await attempt.transaction()).query('insert into orders values ($1)', [claim.key])
        expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
        expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
      }
    },
  )

  test('by DEALLOCATE ALL of the handler stores its response', async () => {
    const store = storeOn(database.pool({ max: 3, pipeline }), { prepare })
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
    const attempt = attemptOf(await store.begin(claimOf()))
    await (await attempt.transaction()).query('deallocate all')
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  // A bug: the client got 500 `transaction-aborted`, as if the handler were at fault.
  test.each(['transaction', 'lease'] as const)(
    'and lost a statement before the response is stored answers 503, and the retry runs, in %s mode',
    async (mode) => {
      const pool = database.pool({ max: 3, pipeline })
      const store = storeOn(pool, { prepare, mode })
      const write = async (claim: Claim) => {
        const attempt = attemptOf(await store.begin(claim))
        await (await attempt.transaction()).query('insert into orders values ($1)', [claim.key])
        return attempt
      }
      await Promise.all([1, 2, 3].map(async () => (await write(claimOf())).complete(kept('done'))))
      const claim = claimOf()
      const attempt = await write(claim)
      // A statement whose text does not show what it does.
      const hidden = "do $$ begin execute 'deallocate all'; end $$"
      await (await attempt.transaction()).query(hidden)
      if (prepare) {
        await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
          code: 'commit-failed',
          message: expect.stringContaining('Nothing was committed'),
        })
        expect(await database.hasOrder(claim.key)).toBe(false)
        const retry = await heals(() => write(again(claim)))
        expect(await retry.complete(kept('again'))).toBe('stored')
      } else {
        expect(await attempt.complete(kept('done'))).toBe('stored')
      }
      expect(await database.hasOrder(claim.key)).toBe(true)
    },
  )

  test('by a migration that changed a result type recovers', async () => {
    const pool = one()
    const store = storeOn(pool, { prepare, maxConcurrent: 1 })
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
    await pool.query('set search_path = pg_catalog')
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
  })

  test('in a database that was set read-only refuses until that is changed back', async () => {
    const { pathname } = new URL(database.url())
    const name = pathname.slice(1)
    await database.query(`alter database ${name} set default_transaction_read_only = on`)
    const pool = one()
    const store = storeOn(pool, { prepare, maxConcurrent: 1 })
    for (let round = 0; round < 3; round++) {
      await expect(store.begin(claimOf())).rejects.toMatchObject({
        code: 'store-unavailable',
        message: expect.stringContaining('takes no writes'),
      })
    }
    await database.query('set default_transaction_read_only = off')
    await database.query(`alter database ${name} reset default_transaction_read_only`)
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
  })
})

/** Opens all connections before the address changes. */
async function stuck(pool: Pool): Promise<Pool> {
  const clients = await Promise.all(Array.from({ length: MAX }, () => pool.connect()))
  for (const client of clients) client.release()
  return pool
}

/** Tries as often as there are connections, because each try may meet a bad one. */
async function heals<T>(attempt: () => Promise<T>): Promise<T> {
  return (await waitFor(async () => (await attempt()) ?? true, {
    what: 'the pool to be whole again',
  })) as T
}

/** Sends as many requests at once as there are connections, so that each is used. */
async function servesAgain(store: Store): Promise<void> {
  await heals(() =>
    Promise.all(
      Array.from({ length: 2 * MAX }, async () => {
        const attempt = attemptOf(await store.begin(claimOf()))
        expect(await attempt.complete(kept('done'))).toBe('stored')
      }),
    ),
  )
}
