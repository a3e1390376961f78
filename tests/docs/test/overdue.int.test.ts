import { migrate } from '@oncekey/postgres'
import { createSagaRunner, saga, sagaMigrations } from '@oncekey/saga'
import { freshDatabase } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { expect, inject, test } from 'vitest'
import { snippetsOf } from '../src/snippets.ts'

/** The statements of the page's gauge, by what they count. */
function statements(): Record<string, string> {
  const [snippet] = snippetsOf('docs/telemetry.md').filter(({ text }) =>
    text.includes('work_nobody_takes'),
  )
  const found = [...(snippet?.text ?? '').matchAll(/(\w+): `([^`]+)`/g)]
  return Object.fromEntries(found.map(([, of, sql]) => [of, sql]))
}

test('runs and deliveries that are due and taken by nobody are counted, others are not', async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  const pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  await migrate(pool, { also: [sagaMigrations, webhookMigrations] })
  const counted = async () =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(statements()).map(async ([of, sql]) => [
          of,
          (await pool.query(sql)).rows[0].due,
        ]),
      ),
    )

  const order = saga<null, unknown>('order', { version: 1 }).step('pay', { run: () => 1 })
  const runner = createSagaRunner({ client: pool, sagas: [order] })
  await runner.submit(order, { id: 'order-1', input: null })
  const { endpoint } = await webhooks({ client: pool }).endpoints.register({
    url: 'https://shop.example/hooks',
    types: ['*'],
  })
  const deliver = `insert into oncekey.webhook_deliveries (message_id, endpoint_id, due_at)
    values (gen_random_uuid(), $1, now() - interval '6 minutes')`
  await pool.query(deliver, [endpoint.id])
  expect(await counted()).toEqual({ sagas: 0, webhooks: 1 })

  await pool.query(`update oncekey.saga_work set due_at = now() - interval '2 minutes'`)
  await pool.query('update oncekey.webhook_endpoints set failures = 5')
  expect(await counted()).toEqual({ sagas: 1, webhooks: 0 })

  await runner.stop()
  await pool.end()
  await database.drop()
})
