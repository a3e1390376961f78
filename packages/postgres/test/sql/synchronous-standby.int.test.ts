import { randomUUID } from 'node:crypto'
import { postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import { waitFor } from '@oncekey/test-servers'
import postgres, { type Sql } from 'postgres'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { type ReplicatedStore, replicatedStore } from '../database/replicated-store.ts'
import { storeOn } from '../database/test-database.ts'
import { unseen, WITH_ESCAPES } from '../database/unseen.ts'

const insert = 'insert into orders values ($1)'

describe('a commit that waits for a synchronous standby', () => {
  let site: ReplicatedStore
  beforeEach(async () => {
    site = await replicatedStore()
  })
  afterEach(async () => {
    await site?.stop()
  })

  const orders = async () => (await site.ask<{ id: string }>(site.primary, 'table orders')).length
  const toWait = (count = 1) =>
    waitFor(async () => (await site.waitForStandby()) === count, {
      what: `${count} commits to wait for the standby`,
    })

  describe.each(['transaction', 'lease'] as const)('in %s mode', (mode) => {
    async function waiting(commitTimeoutMs = 300) {
      const store = storeOn(site.pool({ max: 6 }), {
        mode,
        commitTimeoutMs,
        acquireTimeoutMs: 2_000,
      })
      const claim = claimOf({ leaseMs: 3_000 })
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx.query(insert, [randomUUID()])
      await site.loseStandby()
      return { store, claim, attempt }
    }

    // A bug: the waiting process was ended, which made the commit visible: the retry got 201, and a
    // failover undid it.
    test('is left alone after commitTimeoutMs, and is invisible until the standby has it', async () => {
      const { store, claim, attempt } = await waiting()
      await expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
        code: 'commit-failed',
      })
      expect(said(await store.begin(again(claim)))).toBe('in-progress')
      await toWait()
      expect(await orders()).toBe(0)

      await site.standby.reconnect()
      await toWait(0)
      expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
      expect(await orders()).toBe(1)
    })

    test('is lost in a failover before anyone saw it, and the retry runs', async () => {
      const { store, claim, attempt } = await waiting()
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      expect(said(await store.begin(again(claim)))).toBe('in-progress')
      await site.failOver()
      const next = await waitFor(
        async () => {
          const decision = await store.begin(again(claim))
          return decision.kind !== 'in-progress' && decision
        },
        { what: 'the key to be answered by the new primary' },
      )
      expect(await site.ask(site.standby, 'table orders')).toEqual([])
      await attemptOf(next).release()
    })

    test('of a refusal is left alone, too', async () => {
      const { store, claim, attempt } = await waiting()
      await expect(attempt.complete(refused('no'))).rejects.toMatchObject({ code: 'commit-failed' })
      await toWait()
      expect(await site.ask(site.primary, 'table oncekey.records')).toEqual([])
      await site.standby.reconnect()
      await toWait(0)
      expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
    })
  })

  test('through postgres.js, which could cancel it, is left alone, too', async () => {
    const sql: Sql = postgres(site.url, { max: 4, onnotice: () => {} })
    const client = fromPostgresJs(sql)
    for (const mode of ['transaction', 'lease'] as const) {
      const store = postgresStore({ client, mode, commitTimeoutMs: 300, acquireTimeoutMs: 2_000 })
      const [inTransaction, alone] = [claimOf(), claimOf()]
      const attempt = attemptOf(await store.begin(inTransaction))
      const quiet = attemptOf(await store.begin(alone))
      await (await attempt.transaction()).unsafe(insert, [randomUUID()])
      await site.loseStandby()
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      await expect(quiet.complete(kept('quiet'))).rejects.toMatchObject({ code: 'commit-failed' })
      expect(await site.ask(site.primary, 'table oncekey.records')).toEqual([])
      await site.standby.reconnect()
      await toWait(0)
      expect(said(await store.begin(again(inTransaction)))).toBe('replay 201 done')
      expect(said(await store.begin(again(alone)))).toBe('replay 201 quiet')
      await site.ask(site.primary, 'truncate oncekey.records, orders')
    }
    await sql.end()
  })

  // A bug: the waiting process still showed the claim's transaction, so the key was freed, and the
  // retry wrote again.
  test.each(['refused', 'released', 'abandoned'] as const)(
    'and that the handler sent itself spends the key of a request that is %s',
    async (end) => {
      const store = storeOn(site.pool({ max: 6 }), {
        commitTimeoutMs: 1_500,
        acquireTimeoutMs: 2_000,
      })
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx.query(insert, [randomUUID()])
      await site.loseStandby()
      await tx.query(WITH_ESCAPES)
      tx.query(unseen('commit')).catch(() => {})
      await toWait()
      const ended = {
        refused: () => attempt.complete(refused('no')),
        released: () => attempt.release(),
        abandoned: () => attempt.abandon(),
      }
      await expect(ended[end]()).rejects.toMatchObject({ code: 'store-unavailable' })
      expect(said(await store.begin(again(claim)))).toBe('in-progress')
      await site.standby.reconnect()
      await toWait(0)
      const answer = await waitFor(
        async () => {
          const decision = await store.begin(again(claim))
          return decision.kind !== 'in-progress' && decision
        },
        { what: 'the key to be answered' },
      )
      expect(said(answer)).toBe('result-gone')
      expect(await orders()).toBe(1)
    },
  )

  test('holds its connection: however many are given up on, the pool opens no others instead', async () => {
    const pool = site.pool({ max: 4, application_name: 'flooded' })
    const store = storeOn(pool, { maxConcurrent: 3, commitTimeoutMs: 100, acquireTimeoutMs: 1_000 })
    await site.loseStandby()
    const codes = new Set<unknown>()
    for (let round = 0; round < 8; round++) {
      const decision = await store.begin(claimOf()).catch((error) => codes.add(error.code))
      if ('kind' in decision) {
        await attemptOf(decision)
          .complete(kept('done'))
          .catch((error) => codes.add(error.code))
      }
    }
    const backends = "select from pg_stat_activity where application_name = 'flooded'"
    await waitFor(async () => (await site.ask(site.primary, backends)).length <= 4, {
      what: 'no more backends than the pool has',
    })
    expect(codes).toEqual(new Set(['commit-failed', 'store-busy']))

    await site.standby.reconnect()
    await toWait(0)
    await waitFor(
      async () =>
        attemptOf(await store.begin(claimOf()))
          .release()
          .then(() => true),
      { what: 'the pool to be whole' },
    )
    expect((await site.ask(site.primary, 'table oncekey.records')).length).toBe(4)
  })
})

describe('a wait of COMMIT for the standby, in PostgreSQL itself,', () => {
  let site: ReplicatedStore
  beforeEach(async () => {
    site = await replicatedStore()
  })
  afterEach(async () => {
    await site?.stop()
  })

  test.each([
    'statement_timeout',
    'transaction_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
  ])('is not interrupted by %s', async (setting) => {
    const pool = site.pool({ max: 1, options: `-c ${setting}=200ms` })
    const store = storeOn(pool)
    await site.loseStandby()
    const claim = claimOf()
    const completed = attemptOf(await store.begin(claim)).complete(kept('done'))
    await waitFor(() => site.waitForStandby(), { what: 'the commit to wait' })
    // Longer than the setting, by the server's clock.
    await site.ask(site.primary, 'select pg_sleep(0.5)')
    expect(await site.waitForStandby()).toBe(1)
    await site.standby.reconnect()
    expect(await completed).toBe('stored')
  })

  test('is not interrupted when its client disconnects', async () => {
    const pool = site.pool({ max: 1, options: '-c client_connection_check_interval=100ms' })
    const store = storeOn(pool)
    await site.loseStandby()
    const completed = attemptOf(await store.begin(claimOf())).complete(kept('done'))
    await waitFor(() => site.waitForStandby(), { what: 'the commit to wait' })
    site.address.cut()
    await expect(completed).rejects.toMatchObject({ code: 'commit-failed' })
    await site.ask(site.primary, 'select pg_sleep(0.5)')
    expect(await site.waitForStandby()).toBe(1)
    expect(await site.ask(site.primary, 'table oncekey.records')).toEqual([])
  })
})
