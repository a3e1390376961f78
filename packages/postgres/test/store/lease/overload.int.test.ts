import { once } from '@oncekey/core'
import type { PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { claimOf } from '../../database/claims.ts'
import { storeOn, testDatabase, wires } from '../../database/test-database.ts'

describe.each(wires)('a handler of lease mode that gets no transaction, $wire', (wire) => {
  const { pipeline, prepare } = wire
  const database = testDatabase()

  const site = () => {
    const pool = database.pool({ max: 5, pipeline })
    const store = storeOn(pool, {
      mode: 'lease',
      prepare,
      maxConcurrent: 2,
      acquireTimeoutMs: 1_000,
    })
    const options = { store, namespace: 'jobs', whenUnknown: 'hold' as const, leaseMs: 60_000 }
    return { pool, store, engine: once(options) }
  }
  const call = (key: string) => ({ scope: 'tenant', key })
  const attempts = (key: string) =>
    database.query('select token from oncekey.attempts where key = $1', [key])

  test('because others have every place gets store-busy, and its key is free', async () => {
    const { engine, store } = site()
    const others = await Promise.all([open(store), open(store)])
    let runs = 0
    const pay = () =>
      engine.run(call('places'), async ({ transaction }) => {
        runs++
        await transaction()
        return 'paid'
      })
    const told = await pay().catch((error) => error)
    const left = await attempts('places')
    for (const other of others) await other.release()
    expect(told).toMatchObject({ code: 'store-busy' })
    expect(left).toEqual([])
    expect(await pay()).toEqual({ value: 'paid', replayed: false })
    expect(runs).toBe(2)
  })

  // A bug: the statement that frees the key needs a connection, too.
  test('because the pool is exhausted gets store-busy, and its key is free', async () => {
    const { engine, pool } = site()
    let taken: PoolClient[] = []
    const pay = (isFull: boolean) =>
      engine.run(call('pool'), async ({ transaction }) => {
        if (isFull) taken = await Promise.all(Array.from({ length: 4 }, () => pool.connect()))
        await transaction()
        return 'paid'
      })
    const told = await pay(true).catch((error) => error)
    const left = await attempts('pool')
    for (const client of taken) client.release()
    expect(told).toMatchObject({ code: 'store-busy' })
    expect(left).toEqual([])
    expect(await pay(false)).toEqual({ value: 'paid', replayed: false })
  })

  async function open(store: ReturnType<typeof storeOn>) {
    const decision = await store.begin(claimOf({ whenUnknown: 'hold' }))
    if (decision.kind !== 'run') throw new Error(decision.kind)
    await decision.attempt.transaction()
    return decision.attempt
  }
})
