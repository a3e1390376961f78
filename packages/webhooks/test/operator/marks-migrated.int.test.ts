import { migrate } from '@oncekey/postgres'
import { freshDatabase, waitFor } from '@oncekey/test-servers'
import { webhookMigrations } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { v7 } from 'uuid'
import { expect, inject, onTestFinished, test } from 'vitest'
import { markedMessages } from '../../src/schema/migrations/marked-messages.ts'

/** A database that the release before migrated, with a message for each of these ids. */
async function unmarked(messages: readonly string[], endpoints: readonly string[]): Promise<Pool> {
  const database = await freshDatabase(inject('postgresUrl'))
  const pool = new Pool({ connectionString: database.url })
  onTestFinished(async () => {
    await pool.end()
    await database.drop()
  })
  const { migrations } = webhookMigrations
  const before = migrations.slice(0, migrations.indexOf(markedMessages))
  await migrate(pool, { also: [{ ...webhookMigrations, migrations: before }] })
  for (const [at, id] of endpoints.entries()) {
    await pool.query(
      `insert into oncekey.webhook_endpoints (id, customer, url, types, description)
        values ($1, $2, 'https://a.example', '{*}', '')`,
      [id, at === 0 ? 'shop' : 'ana'],
    )
  }
  for (const id of messages) {
    await pool.query(
      `insert into oncekey.webhook_messages (id, type, source, headers, customer, body, occurred_at)
        values ($1, 'order.created', '/', '{}', 'ana', '{}', now())`,
      [id],
    )
  }
  return pool
}

const entry = (act: string, detail: object) =>
  [
    `select oncekey.audit('maria', $1, '["dead-letter","webhooks","7"]', '', $2)`,
    [act, detail],
  ] as const

async function marksOf(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(
    'select id, customer, only_for, withheld_from from oncekey.webhook_messages order by id',
  )
  return rows
}

test('what was edited and discarded before the schema knew it is known from the audit', async () => {
  const [endpoint, other] = [v7(), v7()]
  const [discarded, wrong, right, plain] = [v7(), v7(), v7(), v7()]
  const pool = await unmarked([discarded, wrong, right, plain], [endpoint, other])
  const acts = [
    ['dead-letters.discard', { eventId: discarded, origin: other }],
    ['dead-letters.discard', { eventId: discarded, origin: endpoint }],
    ['dead-letters.edit-and-redrive', { eventId: wrong, newEventId: right, origin: endpoint }],
    ['dead-letters.discard', { eventId: right, origin: endpoint }],
  ] as const
  for (const [act, detail] of acts) {
    const [text, values] = entry(act, detail)
    await pool.query(text, [...values])
  }
  await pool.query(
    `select oncekey.audit('maria', 'dead-letters.edit-and-redrive',
      '["dead-letter","consumers","7"]', '', '{"eventId":"e","newEventId":"f","origin":"mails"}')`,
  )
  await migrate(pool, { also: [webhookMigrations] })
  expect(await marksOf(pool)).toEqual([
    { id: discarded, customer: 'ana', only_for: null, withheld_from: [other, endpoint] },
    { id: wrong, customer: 'ana', only_for: null, withheld_from: [endpoint] },
    { id: right, customer: 'shop', only_for: endpoint, withheld_from: [endpoint] },
    { id: plain, customer: 'ana', only_for: null, withheld_from: null },
  ])
})

/** How many sessions wait for a lock on this table. */
async function waitingFor(pool: Pool, table: string): Promise<number> {
  const { rows } = await pool.query(
    'select from pg_locks where relation = $1::regclass and not granted',
    [table],
  )
  return rows.length
}

// A bug: the messages were locked first, against readers, too, for as long as it took to go through
// the whole audit, twice.
test('the audit is read before anybody has to wait for the migration', async () => {
  const pool = await unmarked([], [])
  const reading = await pool.connect()
  await reading.query('begin')
  await reading.query('lock table oncekey.operations in access exclusive mode')
  const migrated = migrate(pool, { also: [webhookMigrations] })
  await waitFor(async () => (await waitingFor(pool, 'oncekey.operations')) === 1, {
    what: 'the migration to read the audit',
  })
  const { rows } = await pool.query(
    `select l.relation::regclass::text as relation, l.mode from pg_locks l
       where l.granted and l.mode not in ('AccessShareLock', 'RowShareLock')
         and l.relation = any(array(select c.oid from pg_class c
           where c.relnamespace = 'oncekey'::regnamespace and c.relname like 'webhook_%'))`,
  )
  expect(rows).toEqual([])
  await reading.query('commit')
  reading.release()
  await migrated
})

test('what is discarded while the migration waits for its locks is known, too', async () => {
  const [endpoint, message] = [v7(), v7()]
  const pool = await unmarked([message], [endpoint])
  const acting = await pool.connect()
  await acting.query('begin')
  await acting.query(
    `insert into oncekey.webhook_deliveries (message_id, endpoint_id) values ($1, $2)`,
    [message, endpoint],
  )
  const migrated = migrate(pool, { also: [webhookMigrations] })
  await waitFor(async () => (await waitingFor(pool, 'oncekey.webhook_deliveries')) === 1, {
    what: 'the migration to wait',
  })
  const [text, values] = entry('dead-letters.discard', { eventId: message, origin: endpoint })
  await acting.query(text, [...values])
  await acting.query('commit')
  acting.release()
  await migrated
  expect(await marksOf(pool)).toMatchObject([{ withheld_from: [endpoint] }])
})
