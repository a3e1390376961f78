import { randomUUID } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore, type SqlClient } from '@oncekey/postgres'
import { fromDrizzle } from '@oncekey/postgres/drizzle'
import { drizzle } from 'drizzle-orm/pglite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import type { Bridge } from './driven/bridge.ts'
import { drizzleWork, schema } from './driven/drizzle.ts'

const db = new PGlite()
const client = fromDrizzle(drizzle({ client: db, schema }))

/**
 * `drizzleWork` was written for another driver, which differs only in the types of what raw SQL
 * returns.
 */
const work = drizzleWork as unknown as Omit<Bridge<TxOf<typeof client>>, 'client'>
type TxOf<Client> = Client extends SqlClient<infer Tx> ? Tx : never

beforeAll(async () => {
  await migrate(client)
  await db.query('create table orders (id text primary key)')
})
afterAll(() => db.close())

const hasOrder = async (id: string): Promise<boolean> =>
  (await db.query('select from orders where id = $1', [id])).rows.length === 1

describe('Drizzle on PGlite: the transaction a handler gets', () => {
  test('is Drizzle’s own, with its savepoints, and cannot be ended', async () => {
    const store = postgresStore({ client })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    const tx = await attempt.transaction()
    const [first, second, late] = [randomUUID(), randomUUID(), randomUUID()]
    const built = work.later(tx, late)
    expect(work.isOwn(tx)).toBe(true)
    await work.insert(tx, first)
    await expect(
      tx.transaction(async (inner) => {
        await inner.insert(schema.orders).values({ id: second })
        await inner.insert(schema.orders).values({ id: first })
      }),
    ).rejects.toThrow()
    for (const end of work.ends(tx)) {
      expect(end).toThrow(expect.objectContaining({ code: 'transaction-control' }))
    }
    await expect(work.raw(tx, 'commit')).rejects.toMatchObject({
      cause: { code: 'transaction-control' },
    })
    expect(await attempt.complete(kept('done'))).toBe('stored')
    await expect(built()).rejects.toMatchObject({ cause: { code: 'transaction-over' } })
    expect(await Promise.all([first, second, late].map(hasOrder))).toEqual([true, false, false])
    expect(said(await store.begin(again(claim)))).toBe('replay 201 done')
  })
})
