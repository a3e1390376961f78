import { randomUUID } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { migrate, transact } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'
import { unseen, WITH_ESCAPES } from '../database/unseen.ts'

const database = testDatabase()
const eventsOf = (subject: string) =>
  database.query('select from oncekey.outbox where subject = $1', [subject])

// A bug: what came after the COMMIT, the events too, was committed by itself, and reported as one
// commit; an error of the work was passed on as if nothing had been kept.
test('transact notices a COMMIT that its guard cannot see', async () => {
  const pool = database.pool({ max: 2 })
  pool.on('connect', (client) => client.query(WITH_ESCAPES))
  const subject = randomUUID()
  const [one, other] = [randomUUID(), randomUUID()]
  const working = transact(pool, async (tx, emit) => {
    await tx.query('insert into orders values ($1)', [one])
    await tx.query(unseen('commit'))
    emit({ type: 'order.created', subject })
  })
  await expect(working).rejects.toMatchObject({ code: 'transaction-ended' })
  expect(await eventsOf(subject)).toHaveLength(0)
  expect(await database.hasOrder(one)).toBe(true)

  const cause = new Error('mine')
  const failing = transact(pool, async (tx) => {
    await tx.query('insert into orders values ($1)', [other])
    await tx.query(unseen('commit'))
    throw cause
  })
  await expect(failing).rejects.toMatchObject({ code: 'transaction-ended', cause })
  expect(await database.hasOrder(other)).toBe(true)
  expect(pool.idleCount).toBe(pool.totalCount)
})

test('transact rolls back what fails, and throws its error', async () => {
  const id = randomUUID()
  const mine = new Error('mine')
  const pool = database.pool({ max: 1 })
  const failing = transact(pool, async (tx) => {
    await tx.query('insert into orders values ($1)', [id])
    await tx.query("select 'the end'")
    throw mine
  })
  await expect(failing).rejects.toBe(mine)
  expect(await database.hasOrder(id)).toBe(false)
  await transact(pool, (tx) => tx.query('insert into orders values ($1)', [id]))
  expect(await database.hasOrder(id)).toBe(true)
})

test('transact commits on PGlite, whose clock counts milliseconds', async () => {
  const db = new PGlite()
  try {
    await migrate(fromPglite(db))
    await transact(fromPglite(db), async (tx, emit) => {
      await tx.query("select 'the end'")
      emit({ type: 'order.created', subject: 'order-1' })
    })
    expect((await db.query('select from oncekey.outbox')).rows).toHaveLength(1)
  } finally {
    await db.close()
  }
})

// A bug: the connection was lost to its pool, with its transaction open.
test('transact undoes what emits more than one text can hold', { timeout: 120_000 }, async () => {
  const pool = database.pool({ max: 1 })
  const id = randomUUID()
  const data = 'x'.repeat(2 * 1024 * 1024 - 2)
  const working = transact(pool, async (tx, emit) => {
    await tx.query('insert into orders values ($1)', [id])
    for (let event = 0; event < 260; event++) emit({ type: 'order.imported', data })
  })
  await expect(working).rejects.toMatchObject({
    code: 'transaction-aborted',
    cause: { code: 'event-invalid' },
  })
  expect(await database.hasOrder(id)).toBe(false)
  expect(pool.idleCount).toBe(1)
})
