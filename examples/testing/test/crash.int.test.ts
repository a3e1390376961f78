import { randomBytes } from 'node:crypto'
import { idempotency } from '@oncekey/express'
import { migrate, postgresStore } from '@oncekey/postgres'
import '@oncekey/test-servers'
import express from 'express'
import { Pool } from 'pg'
import request from 'supertest'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

const schema = `oncekey_${randomBytes(6).toString('hex')}`
const pool = new Pool({ connectionString: process.env.DATABASE_URL ?? inject('postgresUrl') })

beforeAll(async () => {
  await migrate(pool, { schema })
  await pool.query(`create table ${schema}.orders (item text)`)
})
afterAll(async () => {
  await pool.query(`drop schema ${schema} cascade`)
  await pool.end()
})

test('what a process had written when it died is undone, and the retry writes it once', async () => {
  const once = idempotency({ store: postgresStore({ client: pool, schema }), scope: () => 'ana' })
  let runs = 0
  const app = express().post('/orders', express.json(), once, async (req, res) => {
    const tx = await once.of(req).transaction()
    await tx.query(`insert into ${schema}.orders values ($1)`, [req.body.item])
    runs += 1
    if (runs === 1) {
      // What Postgres sees of a process that dies: the session ends.
      const { rows } = await tx.query('select pg_backend_pid() as pid')
      await pool.query('select pg_terminate_backend($1)', [rows[0].pid])
    }
    res.status(201).end()
  })
  const order = () =>
    request(app).post('/orders').set('Idempotency-Key', 'k').send({ item: 'viol' })

  await order().expect(503)
  await order().expect(201)
  await order().expect(201).expect('X-Idempotency-Replayed', 'true')
  expect(runs).toBe(2)
  const { rows } = await pool.query(`select item from ${schema}.orders`)
  expect(rows).toEqual([{ item: 'viol' }])
})
