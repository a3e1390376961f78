import { postgresStore } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { fromPg } from '../../src/bridges/from-pg.ts'
import { again, attemptOf, claimOf, kept, refused, said } from '../database/claims.ts'
import { withLateSteps } from '../database/late-steps.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const isolations = ['read committed', 'repeatable read', 'serializable'] as const

describe.each(isolations)('a refusal that is stored late, %s', (isolation) => {
  const database = testDatabase()

  function lateStore(beforeRefusal: () => Promise<void>) {
    // The sessions' default isolation level must not matter: the present state decides what is
    // stored.
    const pool = database.pool({
      options: `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`,
    })
    const client = withLateSteps(fromPg<PoolClient>(pool, { prepare: false }), { beforeRefusal })
    return postgresStore<PoolClient>({ client, isolation })
  }

  test.each(['transaction', 'lease'] as const)(
    'yields to an attempt in %s mode that has the key by then',
    async (mode) => {
      const claim = claimOf()
      const other = storeOn(database.pool(), { mode })
      const begun: Awaited<ReturnType<typeof other.begin>>[] = []
      const store = lateStore(async () => {
        begun.push(await other.begin(again(claim)))
      })
      const attempt = attemptOf(await store.begin(claim))
      expect(await attempt.complete(refused('no'))).toBe('superseded')
      const [decision] = begun
      if (decision === undefined) throw new Error('the other claim was not put')
      expect(await attemptOf(decision).complete(kept('charged'))).toBe('stored')
      expect(said(await store.begin(again(claim)))).toBe('replay 201 charged')
    },
  )

  test('yields to an attempt in lease mode whose outcome is unknown by then', async () => {
    const claim = claimOf()
    const other = storeOn(database.pool(), { mode: 'lease' })
    const store = lateStore(async () => {
      await attemptOf(await other.begin(again(claim))).abandon()
    })
    const attempt = attemptOf(await store.begin(claim))
    expect(await attempt.complete(refused('no'))).toBe('superseded')
    expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
  })

  test('also ends the attempt that it had taken over', async () => {
    const claim = claimOf()
    const other = storeOn(database.pool(), { mode: 'lease' })
    await attemptOf(await other.begin(claim)).abandon()
    const store = lateStore(async () => {})
    const attempt = attemptOf(await store.begin(again(claim)))
    expect(attempt.number).toBe(2)
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(said(await other.begin(again(claim)))).toBe('replay 422 no')
    const attempts = 'select from oncekey.attempts where key = $1'
    expect(await database.query(attempts, [claim.key])).toEqual([])
  })

  test('does not end an attempt that retook the same unknown outcome first', async () => {
    const claim = claimOf()
    const other = storeOn(database.pool(), { mode: 'lease' })
    await attemptOf(await other.begin(claim)).abandon()
    const begun: Awaited<ReturnType<typeof other.begin>>[] = []
    const store = lateStore(async () => {
      begun.push(await other.begin(again(claim)))
    })
    const attempt = attemptOf(await store.begin(again(claim)))
    expect(await attempt.complete(refused('no'))).toBe('superseded')
    const [decision] = begun
    if (decision === undefined) throw new Error('the other claim was not put')
    expect(await attemptOf(decision).complete(kept('charged'))).toBe('stored')
  })
})
