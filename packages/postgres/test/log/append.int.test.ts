import { randomUUID } from 'node:crypto'
import { PGlite } from '@electric-sql/pglite'
import { type EmittedEvent, OptionsError } from '@oncekey/core'
import { append, inbox, migrate, postgresLog, transact } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { startPostgres } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const eventsOf = (subject: string) =>
  database.query<{ source: string }>('select source from oncekey.outbox where subject = $1', [
    subject,
  ])

// A bug: it was pushed into a list that nobody read any more, and the transaction was committed.
test('transact refuses an event that is emitted after its work has ended', async () => {
  const subject = randomUUID()
  let late: ((event: EmittedEvent) => void) | undefined
  await transact(database.pool({ max: 1 }), (_, emit) => {
    emit({ type: 'order.created', subject })
    late = emit
  })
  expect(() => late?.({ type: 'order.created', subject })).toThrow(
    expect.objectContaining({ code: 'attempt-over' }),
  )
  expect(await eventsOf(subject)).toHaveLength(1)
})

// A bug: the event was committed alone, and stayed when the transaction was rolled back.
test('append takes a transaction, and neither a pool nor a database', async () => {
  const subject = randomUUID()
  const event = { type: 'order.created', subject }
  const pool = database.pool({ max: 1 })
  await expect(append(pool, event)).rejects.toThrow(OptionsError)
  expect(await eventsOf(subject)).toHaveLength(0)
  const client = await pool.connect()
  await client.query('begin')
  await append(client, event)
  await client.query('rollback')
  await client.query('begin')
  await append(client, event)
  await client.query('commit')
  client.release()
  expect(await eventsOf(subject)).toHaveLength(1)
})

test('append takes a transaction of PGlite, and no database of PGlite', async () => {
  const db = new PGlite()
  try {
    await migrate(fromPglite(db))
    const event = { type: 'order.created', subject: 'order-1' }
    await expect(append(db, event)).rejects.toThrow(OptionsError)
    await db.transaction((tx) => append(tx, event))
    expect((await db.query('select from oncekey.outbox')).rows).toHaveLength(1)
  } finally {
    await db.close()
  }
})

// A bug: such a name was taken, and every event that it emitted was refused for its source.
test.each([
  ['billing service', '/billing%20service'],
  ['Zoë', '/Zo%C3%AB'],
  ['billing/eu', '/billing/eu'],
])('an inbox called %s emits events', async (consumer, source) => {
  const subject = randomUUID()
  const mine = inbox({ client: database.pool({ max: 1 }), consumer })
  await mine.take(randomUUID(), ({ emit }) => emit({ type: 'account.charged', subject }))
  expect(await eventsOf(subject)).toEqual([{ source }])
})

test.each(['', 'a\0b', '\ud800', 'é'.repeat(400)])('an inbox cannot be called %j', (consumer) => {
  expect(() => inbox({ client: database.pool({ max: 1 }), consumer })).toThrow(OptionsError)
})

// A bug: retention waited for a prepared transaction, and the lag named nobody.
test('a lag names a prepared transaction that holds retention back', async () => {
  const server = await startPostgres({ settings: { max_prepared_transactions: '5' } })
  const pool = new Pool({ connectionString: await server.createDatabase(), max: 2 })
  try {
    await migrate(pool)
    await pool.query(`begin; create table t (); prepare transaction 'forgotten'`)
    const { horizon } = await postgresLog({ client: pool }).lag('nobody')
    expect(horizon).toEqual({ ageMs: expect.any(Number), pid: 'prepared transaction forgotten' })
    await pool.query(`rollback prepared 'forgotten'`)
    expect((await postgresLog({ client: pool }).lag('nobody')).horizon).toBeNull()
  } finally {
    await pool.end()
    await server.stop()
  }
})
