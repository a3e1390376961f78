import { PGlite } from '@electric-sql/pglite'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import request from 'supertest'
import { expect, test } from 'vitest'
import { createApp } from '../src/express-app.ts'

test('an order and its event are one commit', { timeout: 60_000 }, async () => {
  const db = new PGlite() // in memory, one for each test
  const client = fromPglite(db)
  await migrate(client)
  const app = createApp(postgresStore({ client }))
  const order = () =>
    request(app)
      .post('/orders')
      .set('X-Account', 'ana')
      .set('Idempotency-Key', 'k')
      .send({ item: 'harp' })

  const [first, again] = [await order().expect(201), await order().expect(201)]
  expect(again.body).toEqual(first.body)
  const { rows } = await db.query('select type from oncekey.outbox')
  expect(rows).toEqual([{ type: 'order.placed' }])
  await db.close()
})
