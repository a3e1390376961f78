import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { fromPg } from '../../src/bridges/from-pg.ts'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { type LateSteps, withLateSteps } from '../database/late-steps.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const isolations = ['read committed', 'repeatable read', 'serializable'] as const
const modes = ['transaction', 'lease'] as const

describe.each(isolations)('a claim whose snapshot is older than its lock, %s', (isolation) => {
  const database = testDatabase()

  describe.each(modes)('beside a store in %s mode', (mode) => {
    test('replays a key that was finished in between', async () => {
      const claim = claimOf()
      const other = storeOn(database.pool(), { mode, isolation })
      const store = lateStore(database.pool(), {
        async beforeLock() {
          expect(await attemptOf(await other.begin(claim)).complete(kept('theirs'))).toBe('stored')
        },
      })
      expect(said(await store.begin(again(claim)))).toBe('replay 201 theirs')
    })

    test('answers `mismatch` if that was another request', async () => {
      const claim = claimOf()
      const other = storeOn(database.pool(), { mode, isolation })
      const store = lateStore(database.pool(), {
        async beforeLock() {
          await attemptOf(await other.begin(claim)).complete(kept('theirs'))
        },
      })
      const another = again(claim, { fingerprints: ['json1:other'] })
      expect(said(await store.begin(another))).toBe('mismatch')
    })
  })

  test('does not run beside an attempt in lease mode that was claimed in between', async () => {
    const claim = claimOf()
    const other = storeOn(database.pool(), { mode: 'lease' })
    const begun: Awaited<ReturnType<typeof other.begin>>[] = []
    const store = lateStore(database.pool(), {
      async beforeLock() {
        begun.push(await other.begin(claim))
      },
    })
    expect(said(await store.begin(again(claim)))).toBe('in-progress')
    const [decision] = begun
    if (decision === undefined) throw new Error('the other claim was not put')
    expect(await attemptOf(decision).complete(kept('theirs'))).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe('replay 201 theirs')
  })

  test('gives its connection and its lock back if it does not run', async () => {
    const claim = claimOf()
    const pool = database.pool()
    const other = storeOn(database.pool(), { isolation })
    const store = lateStore(pool, {
      async beforeLock() {
        await attemptOf(await other.begin(claim)).complete(kept('theirs'))
      },
    })
    await store.begin(again(claim))
    await expect.poll(() => pool.idleCount).toBe(pool.totalCount)
    expect(await database.locks()).toBe(0)
  })

  function lateStore(pool: Pool, steps: LateSteps) {
    const client = withLateSteps(fromPg<PoolClient>(pool, { prepare: false }), steps)
    return postgresStore<PoolClient>({ client, isolation })
  }
})

describe.each(isolations)('retries without a pause, %s', (isolation) => {
  const database = testDatabase()

  test('of 100 keys from two processes run each handler once', async () => {
    const stores = [0, 1].map(() => storeOn(database.pool({ max: 20 }), { isolation }))
    const runs = new Map<string, number>()
    const settle = async (key: string, store: (typeof stores)[number]): Promise<void> => {
      for (;;) {
        const decision = await store.begin(claimOf({ key }))
        if (decision.kind === 'replay') return
        if (decision.kind !== 'run') continue
        runs.set(key, (runs.get(key) ?? 0) + 1)
        const tx = await decision.attempt.transaction()
        await tx.query('insert into orders values ($1)', [key])
        await decision.attempt.complete(kept('done'))
      }
    }
    for (let round = 0; round < 10; round += 1) {
      const keys = Array.from({ length: 10 }, () => randomUUID())
      await Promise.all(keys.flatMap((key) => stores.map((store) => settle(key, store))))
    }
    expect([...runs.values()].filter((count) => count > 1)).toEqual([])
    expect(runs.size).toBe(100)
  })
})
