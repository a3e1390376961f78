import { randomUUID } from 'node:crypto'
import { type Completion, OncekeyError } from '@oncekey/core'
import { postgresLog, postgresStore } from '@oncekey/postgres'
import { fromPostgresJs } from '@oncekey/postgres/postgres-js'
import type { Pool } from 'pg'
import postgres from 'postgres'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, responseOf, said } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const database = testDatabase()

/** Of it no statement can be made, as of events that are too long together for one text. */
const unmakeable = (): Completion => kept('done', [eventOf({ occurredAt: new Date(Number.NaN) })])

/** Of it a statement can be made, whose value the driver refuses before it has sent it. */
const unsendable = (seal: unknown): Completion => ({
  ...kept('done'),
  response: responseOf('done', { seal: seal as string }),
})

const isWhole = ({ totalCount, idleCount }: Pool): boolean => totalCount === idleCount

// A bug: nobody ended the transaction. It kept its locks, and the pool never got the connection
// back: one more was gone with each retry.
describe.each(wires)('a last statement that cannot be made, $wire', ({ pipeline, prepare }) => {
  test('undoes the request and frees the key and the connection', async () => {
    const pool = database.pool({ pipeline, max: 2 })
    const store = storeOn(pool, { prepare })
    const claim = claimOf()
    const id = randomUUID()
    for (let time = 0; time < 3; time++) {
      const attempt = attemptOf(await store.begin(again(claim)))
      await (await attempt.transaction()).query('insert into orders values ($1)', [id])
      const error = await attempt.complete(unmakeable()).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'transaction-aborted' })
      expect(error.cause).toMatchObject({ code: 'event-invalid' })
      expect(isWhole(pool)).toBe(true)
    }
    expect(await database.hasOrder(id)).toBe(false)
  })

  test('undoes a request without a key', async () => {
    const pool = database.pool({ pipeline, max: 2 })
    const id = randomUUID()
    const attempt = await storeOn(pool, { prepare }).open({ leaseMs: 1_000 })
    await (await attempt.transaction()).query('insert into orders values ($1)', [id])
    await expect(attempt.complete(unmakeable())).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(isWhole(pool)).toBe(true)
    expect(await database.hasOrder(id)).toBe(false)
  })
})

test('a request without a key that opened no transaction is told so, too', async () => {
  const attempt = await storeOn(database.pool()).open({ leaseMs: 1_000 })
  await expect(attempt.complete(unmakeable())).rejects.toMatchObject({
    code: 'transaction-aborted',
  })
})

test.each([true, false])(
  'in lease mode the outcome is unknown at once, with a transaction: %s',
  async (isOpen) => {
    const pool = database.pool({ max: 4 })
    const store = storeOn(pool, { mode: 'lease' })
    const claim = claimOf()
    const id = randomUUID()
    const attempt = attemptOf(await store.begin(claim))
    if (isOpen) {
      await (await attempt.transaction()).query('insert into orders values ($1)', [id])
    }
    await expect(attempt.complete(unmakeable())).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(await database.hasOrder(id)).toBe(false)
    expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
  },
)

test("undoes a consumer's transaction, and the event can be taken in again", async () => {
  const pool = database.pool({ max: 2 })
  const log = postgresLog({ client: pool })
  const asked = { consumer: 'billing', eventIds: [randomUUID()], timeoutMs: 5_000 }
  for (let time = 0; time < 3; time++) {
    const intake = await log.takeIn(asked)
    expect(intake.fresh.size).toBe(1)
    await expect(intake.commit([...unmakeable().events])).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    await intake.rollback()
    expect(isWhole(pool)).toBe(true)
  }
})

test('is no append of unknown outcome', async () => {
  const log = postgresLog({ client: database.pool({ max: 2 }) })
  await expect(log.append?.([...unmakeable().events])).rejects.toMatchObject({
    code: 'event-invalid',
  })
})

// A bug: COMMIT was sent all the same. What the handler had written was committed without its
// record, and the retry wrote it once more.
describe('a last statement that the driver refuses', () => {
  test.each(wires)('commits nothing, $wire', async ({ pipeline, prepare }) => {
    const pool = database.pool({ pipeline, max: 2 })
    const store = storeOn(pool, { prepare })
    const claim = claimOf()
    const id = randomUUID()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).query('insert into orders values ($1)', [id])
    const seal = {
      toPostgres() {
        throw new Error('no memory')
      },
      [Symbol.toPrimitive]() {
        throw new Error('no memory')
      },
    }
    await expect(attempt.complete(unsendable(seal))).rejects.toThrow(OncekeyError)
    expect(await database.hasOrder(id)).toBe(false)
  })

  test('commits nothing on postgres.js', async () => {
    const sql = postgres(database.url(), { max: 2, onnotice: () => {} })
    try {
      const store = postgresStore({ client: fromPostgresJs(sql) })
      const claim = claimOf()
      const id = randomUUID()
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx`insert into orders values (${id})`
      await expect(attempt.complete(unsendable('a\0b'))).rejects.toThrow(OncekeyError)
      expect(await database.hasOrder(id)).toBe(false)
      await attemptOf(await store.begin(again(claim))).release()
    } finally {
      await sql.end({ timeout: 2 })
    }
  })
})
