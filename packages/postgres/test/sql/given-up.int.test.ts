import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

describe.each(wires)('statements that nobody awaits any more end on the server, $wire', (wire) => {
  const { prepare, pipeline } = wire
  const database = testDatabase()
  const process = (max: number) => {
    const name = randomUUID()
    const pool = database.pool({ max, pipeline, application_name: name })
    // A released session counts until its process has ended, so wait for the count.
    const atMost = (most: number) =>
      waitFor(async () => (await backends()) <= most, { what: `no more than ${most} backends` })
    const backends = async () =>
      (await database.query('select from pg_stat_activity where application_name = $1', [name]))
        .length
    return { pool, atMost }
  }

  test('45 clients that hang up while they wait use no more backends than the pool has', async () => {
    const theirs = storeOn(database.pool({ max: 50 }), { maxConcurrent: 45 })
    const { pool, atMost } = process(4)
    const ours = storeOn(pool, { prepare })
    const claims = Array.from({ length: 45 }, () => claimOf())
    const running = await Promise.all(claims.map(async (one) => attemptOf(await theirs.begin(one))))
    for (const claim of claims) {
      const client = new AbortController()
      const waiter = ours.begin(again(claim, { waitMs: 60_000, signal: client.signal }))
      await waitFor(async () => (await database.locks({ waitedFor: true })) > 0, {
        what: 'the claim to wait',
      })
      client.abort()
      await waiter
      await atMost(4)
    }
    await waitFor(async () => (await database.locks({ waitedFor: true })) === 0, {
      what: 'nobody to wait on the server',
    })
    for (const attempt of running) await attempt.release()
  })

  test("a wait that the pool's own query_timeout ends reports the key as in progress", async () => {
    const theirs = storeOn(database.pool({ max: 4 }))
    const pool = database.pool({ max: 4, pipeline, query_timeout: 300 })
    const ours = storeOn(pool, { prepare })
    const claim = claimOf()
    const running = attemptOf(await theirs.begin(claim))
    for (let round = 0; round < 5; round++) {
      expect(said(await ours.begin(again(claim, { waitMs: 60_000 })))).toBe('in-progress')
    }
    await waitFor(async () => (await database.locks({ waitedFor: true })) === 0, {
      what: 'nobody to wait on the server',
    })
    await running.release()
    const attempt = attemptOf(await ours.begin(again(claim)))
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test.each(['transaction', 'lease'] as const)(
    'a locked table uses no more backends than the pool has, in %s mode',
    async (mode) => {
      const { pool, atMost } = process(6)
      const store = storeOn(pool, { prepare, mode, acquireTimeoutMs: 1_000 })
      const locker = await database.pool({ max: 1 }).connect()
      await locker.query('begin; lock table oncekey.records, oncekey.attempts')
      for (let round = 0; round < 8; round++) {
        const answers = await Promise.allSettled(
          Array.from({ length: 4 }, () => store.begin(claimOf())),
        )
        expect(answers.every(({ status }) => status === 'rejected')).toBe(true)
        // A statement that may be committing is not cancelled, so one connection outside the pool
        // asks about it.
        await atMost(mode === 'lease' ? 7 : 6)
      }
      await locker.query('rollback')
      locker.release()
      const served = await waitFor(async () => attemptOf(await store.begin(claimOf())), {
        what: 'the pool to be whole',
      })
      expect(await served.complete(kept('done'))).toBe('stored')
    },
  )

  test('a role keeps its own idle_in_transaction_session_timeout if that is shorter', async () => {
    const shown = async (options: string) => {
      const store = storeOn(database.pool({ max: 2, pipeline, options }), { prepare })
      const attempt = attemptOf(await store.begin(claimOf()))
      const tx = await attempt.transaction()
      const { rows } = await tx.query('show idle_in_transaction_session_timeout')
      await attempt.release()
      return rows[0].idle_in_transaction_session_timeout
    }
    expect(await shown('-c idle_in_transaction_session_timeout=2s')).toBe('2s')
    expect(await shown('-c idle_in_transaction_session_timeout=1h')).toBe('125s')
    expect(await shown('-c idle_in_transaction_session_timeout=0')).toBe('125s')
  })
})
