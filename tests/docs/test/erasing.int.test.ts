import { consumer, createRelay } from '@oncekey/outbox'
import { eraseEvent, migrate, postgresLog, transact } from '@oncekey/postgres'
import { type Database, freshDatabase, waitFor } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

const NAME = 'Erika Mustermann'
let database: Database
let pool: Pool

beforeAll(async () => {
  database = await freshDatabase(inject('postgresUrl'))
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool, { also: [webhookMigrations] })
})

afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

/** The columns of the schema in which some row contains this text. */
async function columnsWith(text: string): Promise<string[]> {
  const columns = await pool.query(`
    select c.relname as of_table, a.attname as of_column, a.atttypid = 'bytea'::regtype as is_bytes
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'oncekey'::regnamespace and c.relkind = 'r' and a.attnum > 0
      and not a.attisdropped`)
  const found: string[] = []
  for (const { of_table, of_column, is_bytes } of columns.rows) {
    const value = is_bytes ? `encode("${of_column}", 'escape')` : `"${of_column}"::text`
    const { rows } = await pool.query(
      `select 1 from oncekey."${of_table}" where ${value} like $1 limit 1`,
      [`%${text}%`],
    )
    if (rows.length > 0) found.push(`${of_table}.${of_column}`)
  }
  return found
}

test('erasing an event leaves nothing of it, as the page says, and consumers go on', async () => {
  const hooks = webhooks({ client: pool, customerOf: () => 'acme' })
  await hooks.endpoints.register({
    customer: 'acme',
    url: 'https://acme.example/hooks',
    types: ['*'],
  })
  const log = postgresLog({ client: pool })
  const failing = consumer({
    name: 'mail',
    maxAttempts: 1,
    handle: ({ event }) => {
      throw new Error(`no mail to ${(event.data as { name: string }).name}`)
    },
  })
  const first = createRelay({ log, consumers: [failing, hooks.consumer] })
  first.start()
  await transact(pool, (_, emit) =>
    emit({
      type: 'user.signed-up',
      subject: 'user-7',
      data: { name: NAME },
      headers: { for: NAME },
    }),
  )
  await waitFor(
    async () => {
      const { rows } = await pool.query(`select
        (select count(*)::int from oncekey.deliveries where state = 'dead') as dead,
        (select count(*)::int from oncekey.webhook_deliveries) as webhooks`)
      return rows[0].dead === 1 && rows[0].webhooks === 1
    },
    { what: 'a dead letter and a webhook', timeoutMs: 30_000 },
  )
  await first.stop()
  const by = { actor: 'maria@shop.example', note: `${NAME} told us her street` }
  const letters = await pool.query<{ id: string }>('select id::text from oncekey.deliveries')
  const data = JSON.stringify({ name: NAME, street: 'Lindenweg 1' })
  expect(await log.deadLetters.replace?.(letters.rows[0]?.id ?? '', data, by)).toMatchObject({
    outcome: 'replaced',
  })
  expect((await columnsWith(NAME)).map((column) => column.replace(/_\d+\./, '.')).sort()).toEqual(
    expect.arrayContaining([
      'deliveries.data',
      'deliveries.error_message',
      'delivery_attempts.message',
      'operations.note',
      'webhook_messages.body',
    ]),
  )

  const { rows } = await pool.query<{ id: string }>('select id from oncekey.outbox')
  expect(rows).toHaveLength(1)
  await eraseEvent(pool, rows[0]!.id, { actor: 'privacy@shop.example', note: 'request 4711' })
  expect(await columnsWith(NAME)).toEqual([])
  expect(await columnsWith('Lindenweg')).toEqual([])
  const messages = await pool.query<{ body: Buffer }>('select body from oncekey.webhook_messages')
  expect(JSON.parse(String(messages.rows[0]?.body))).toEqual({
    type: 'user.signed-up',
    timestamp: expect.any(String),
    data: null,
  })

  // A consumer that starts after the erasing gets the event in its place in the order, with `data:
  // null`.
  const got: unknown[] = []
  const late = consumer({
    name: 'late',
    handle: ({ event }) => {
      got.push([event.id, event.subject, event.data, event.headers])
    },
  })
  const second = createRelay({ log, consumers: [late] })
  second.start()
  await waitFor(() => got.length > 0, { what: 'the erased event', timeoutMs: 30_000 })
  await second.stop()
  expect(got).toEqual([[rows[0]!.id, null, null, {}]])
})
