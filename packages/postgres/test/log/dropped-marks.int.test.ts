import type { EventLog } from '@oncekey/core'
import { inbox, postgresLog } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const dropped = { code: 'store-unavailable', message: expect.stringContaining('was dropped') }
let pool: Pool
let log: EventLog<PoolClient>

beforeAll(async () => {
  pool = database.pool({ max: 4 })
  log = postgresLog({ client: pool })
  await database.query(
    `create function drop_it() returns trigger language plpgsql as $$ begin return null; end $$`,
  )
})

/** While `work` runs, a trigger drops what is written to a table of ours, and no error says so. */
async function dropping(event: string, table: string, work: () => Promise<unknown>) {
  await database.query(
    `create trigger drops before ${event} on oncekey.${table}
       for each row execute function drop_it()`,
  )
  await work().finally(() => database.query(`drop trigger drops on oncekey.${table}`))
}

// A bug: an event whose mark was dropped counted as a duplicate, so a message was acknowledged, and
// a cursor moved, without any effect.
test('an event whose mark a trigger drops is no duplicate, and can be taken in later', async () => {
  const billing = inbox({ client: pool, consumer: 'billing' })
  const asked = { consumer: 'billing', eventIds: ['m1', 'm2'], timeoutMs: 20_000 }
  const emitted = () => log.emit({ consumer: 'billing', eventId: 'm3', events: [eventOf()] })
  await dropping('insert', 'processed_events', async () => {
    await expect(billing.take('m1', () => 'taken')).rejects.toMatchObject(dropped)
    await expect(log.takeIn(asked)).rejects.toMatchObject(dropped)
    await expect(emitted()).rejects.toMatchObject(dropped)
  })
  expect(await billing.take('m1', () => 'taken')).toEqual({ kind: 'done', result: 'taken' })
  const intake = await log.takeIn(asked)
  expect([...intake.fresh]).toEqual(['m2'])
  await intake.commit([])
  expect(await emitted()).toBe('done')
  await dropping('insert', 'processed_events', async () => {
    expect(await billing.take('m1', () => 'taken')).toEqual({ kind: 'duplicate' })
    expect(await emitted()).toBe('duplicate')
  })
})

// A bug: the mark that the letter was taken in stayed, so its next redrive ended without effect.
test.each(['insert', 'update'])(
  'a letter whose replacement loses its %s to a trigger stays as it was',
  async (event) => {
    const consumer = `email-${event}`
    await log.subscribe({ consumer, types: null, startAt: 'now' })
    const [letter] = await database.query<{ id: string }>(
      `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key,
           data, headers, occurred_at, state, reason, attempts, starts, due_at, first_failed_at,
           dead_at)
         values ($1, 0, 1, gen_random_uuid(), 't', '/', 'k', '{}', '{}', now(), 'dead',
           'permanent', 1, 1, now(), now(), now())
         returning id::text as id`,
      [consumer],
    )
    const id = letter?.id ?? ''
    const { deadLetters } = log
    await dropping(event, 'deliveries', () =>
      expect(deadLetters.replace?.(id, '{"a":1}', {})).rejects.toMatchObject(dropped),
    )
    const redriven = await deadLetters.redrive({ ids: [id] }, { limit: 10 })
    expect(redriven).toEqual({ redriven: [id], refused: [] })
  },
)
