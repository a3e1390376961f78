import { randomBytes } from 'node:crypto'
import { migrate, postgresStore } from '@oncekey/postgres'
import '@oncekey/test-servers'
import { Pool } from 'pg'
import request from 'supertest'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createApp } from '../src/express-app.ts'

// A schema for this file alone: files run side by side on one database, and never meet.
const schema = `oncekey_${randomBytes(6).toString('hex')}`
const pool = new Pool({ connectionString: process.env.DATABASE_URL ?? inject('postgresUrl') })

beforeAll(() => migrate(pool, { schema }))
afterAll(async () => {
  await pool.query(`drop schema ${schema} cascade`)
  await pool.end()
})

test('fifty at once are one order', async () => {
  const app = createApp(postgresStore({ client: pool, schema })).listen(0)
  const order = () =>
    request(app)
      .post('/orders')
      .set('X-Account', 'ana')
      .set('Idempotency-Key', 'k')
      .send({ item: 'oud' })

  const answers = await Promise.all(Array.from({ length: 50 }, order))
  // One runs; the others are told that it does, or what it answered.
  const placed = answers.filter(({ status }) => status === 201)
  expect(placed.length + answers.filter(({ status }) => status === 409).length).toBe(50)
  expect(new Set(placed.map(({ body }) => body.id)).size).toBe(1)
  const { rows } = await pool.query(`select count(*)::int as events from ${schema}.outbox`)
  expect(rows).toEqual([{ events: 1 }])
  app.close()
})
