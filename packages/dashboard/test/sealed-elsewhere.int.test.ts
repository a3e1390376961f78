import { randomBytes } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { freshDatabase } from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { dashboard } from '../src/index.ts'

// Neither page was shown: a dashboard without the key told 409, where the lost secret could have
// been rotated.
test('without the key of its secrets an endpoint and its deliveries are shown all the same', async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  onTestFinished(() => database.drop())
  const pool = new Pool({ connectionString: database.url })
  onTestFinished(() => pool.end())
  await migrate(pool, { also: [webhookMigrations] })
  const sealedBy = (name: string) =>
    webhooks({ client: pool, seal: { current: name, keys: { [name]: randomBytes(32) } } })
  const { endpoint } = await sealedBy('app').endpoints.register({
    url: 'https://receiver.example/hooks',
    types: ['*'],
  })
  await pool.query(
    `with message as (
       insert into oncekey.webhook_messages (id, type, source, headers, body, occurred_at)
         values (gen_random_uuid(), 'order.made', '/', '{}', '{"data":1}', now())
         returning id
     )
     insert into oncekey.webhook_deliveries (message_id, endpoint_id) select id, $1 from message`,
    [endpoint.id],
  )
  const show = dashboard({
    webhooks: sealedBy('other'),
    authorize: () => ({ actor: 'maria@shop.example', may: 'all' }),
  })
  const asked = (path: string) => show(new Request(`https://shop.example/${path}`))

  const ofEndpoint = `webhooks/endpoint?id=${endpoint.id}`
  const page = await asked(ofEndpoint)
  expect(page.status).toBe(200)
  const shown = await page.text()
  expect(shown).toContain('They do not open')
  expect(shown).toContain('Rotate its secret')
  const told = (await (await asked(`api/v1/${ofEndpoint}`)).json()) as {
    readonly secrets: unknown
    readonly deliveries: { readonly items: readonly [{ readonly id: string }] }
  }
  expect(told.secrets).toBeNull()

  const ofDelivery = `webhooks/delivery?id=${told.deliveries.items[0].id}`
  const delivery = await asked(ofDelivery)
  expect(delivery.status).toBe(200)
  expect(await delivery.text()).toContain('It cannot be signed here')
  expect(await (await asked(`api/v1/${ofDelivery}`)).json()).toMatchObject({
    delivery: { payload: '{"data":1}' },
    request: null,
  })
})
