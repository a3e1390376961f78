import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort, freshDatabase, waitFor } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'

const script = fileURLToPath(new URL('../src/server.ts', import.meta.url))
const stop: (() => Promise<unknown>)[] = []
let url: string
let pool: Pool

beforeAll(async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  const port = await freePort()
  const server = spawn(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, DATABASE_URL: database.url, PORT: String(port) },
    stdio: 'inherit',
  })
  url = `http://127.0.0.1:${port}/payments`
  pool = new Pool({ connectionString: database.url })
  stop.push(
    async () => {
      server.kill()
      await once(server, 'exit')
    },
    () => pool.end(),
    database.drop,
  )
  await waitFor(
    () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    { what: 'the server', timeoutMs: 20_000 },
  )
})

afterAll(async () => {
  for (const step of stop) await step()
})

test('makes a payment once, with its event, however often it is sent', async () => {
  const answers = []
  for (const _ of [1, 2, 3]) answers.push(await pay('violin-1', 4200))
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
  expect(answers.map(({ replayed }) => replayed)).toEqual([null, 'true', 'true'])
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['{"id":1,"cents":4200}']))
  expect((await pay('violin-1', 1)).status).toBe(422)
  expect(await books()).toEqual({ payments: 1, records: 1, events: 1 })
})

test('fifty simultaneous requests make one payment', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => pay('cello-1', 7000)))
  expect(
    answers.filter(({ status, replayed }) => status === 201 && replayed === null),
  ).toHaveLength(1)
  expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
  expect(await books()).toEqual({ payments: 2, records: 2, events: 2 })
})

async function pay(key: string, cents: number) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key, 'x-account': 'ana' },
    body: JSON.stringify({ cents }),
  })
  const replayed = response.headers.get('x-idempotency-replayed')
  return { status: response.status, replayed, body: await response.text() }
}

async function books() {
  const { rows } = await pool.query(`select
    (select count(*)::int from payments) as payments,
    (select count(*)::int from oncekey.records) as records,
    (select count(*)::int from oncekey.outbox) as events`)
  return rows[0]
}
