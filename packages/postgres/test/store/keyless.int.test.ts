import { randomUUID } from 'node:crypto'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { eventOf, kept, refused } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'
import { unseen, withEscapes } from '../database/unseen.ts'

const insert = 'insert into orders values ($1)'

describe.each(wires)('a route without a key, $wire', ({ pipeline, prepare }) => {
  const database = testDatabase()
  withEscapes(database)
  const open = async (options = {}) => {
    const pool = database.pool({ pipeline, max: 4 })
    const store = storeOn(pool, { prepare, ...options })
    return { pool, store, attempt: await store.open({ leaseMs: 1_000 }) }
  }

  test('takes no connection unless it asks for the transaction or emits', async () => {
    const { pool, attempt } = await open()
    expect(await attempt.renew(1_000)).toBe('held')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await attempt.renew(1_000)).toBe('stale')
    expect(pool.totalCount).toBe(0)
  })

  test('that ends before its transaction is open leaves nothing open', async () => {
    const { pool, attempt } = await open()
    const asking = attempt.transaction().catch((error: { code: string }) => error.code)
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await asking).toBe('transaction-over')
    await waitFor(() => pool.idleCount === pool.totalCount, { what: 'the client to be given back' })
  })

  test('that ended its transaction itself is an error', async () => {
    const { attempt } = await open()
    await (await attempt.transaction()).query(unseen('commit'))
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-ended',
    })
  })

  // A bug: nobody asked, and the refusal went out as if the rows had been undone.
  test.each(['refused', 'released', 'abandoned'])(
    'that ended its transaction itself is an error also when it is %s',
    async (how) => {
      const { attempt } = await open()
      const id = randomUUID()
      const tx = await attempt.transaction()
      await tx.query(insert, [id])
      await tx.query(unseen('commit'))
      const end = {
        refused: () => attempt.complete(refused('no')),
        released: () => attempt.release(),
        abandoned: () => attempt.abandon(),
      }[how]
      await expect(end?.()).rejects.toMatchObject({ code: 'transaction-ended' })
      expect(await database.hasOrder(id)).toBe(true)
    },
  )

  test('that swallowed an SQL error is an error', async () => {
    const { attempt } = await open()
    const orderingKey = randomUUID()
    const tx = await attempt.transaction()
    await tx.query('select 1 / 0').catch(() => {})
    const events = [eventOf({ orderingKey })]
    await expect(attempt.complete(kept('done', events))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(
      await database.query('select from oncekey.outbox where ordering_key = $1', [orderingKey]),
    ).toEqual([])
  })

  test('that loses its connection is an error, and nothing is kept', async () => {
    const { attempt } = await open()
    const id = randomUUID()
    const tx = await attempt.transaction()
    await tx.query(insert, [id])
    const { rows } = await tx.query('select pg_backend_pid() as pid')
    await database.query('select pg_terminate_backend($1)', [rows[0].pid])
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
    expect(await database.hasOrder(id)).toBe(false)
  })

  test('counts towards maxConcurrent while it holds a connection', async () => {
    const { store, attempt } = await open({ maxConcurrent: 1, acquireTimeoutMs: 1_000 })
    await attempt.transaction()
    const next = await store.open({ leaseMs: 1_000 })
    await expect(next.transaction()).rejects.toMatchObject({ code: 'store-busy' })
    expect(await attempt.complete(refused('no'))).toBe('stored')
    await next.transaction()
    await next.release()
  })
})
