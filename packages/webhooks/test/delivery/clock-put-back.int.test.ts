import { migrate } from '@oncekey/postgres'
import {
  type Clock,
  type PostgresServer,
  startClock,
  startNode,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, LOCAL } from '../servers/webhooks-database.ts'

let clock: Clock
let server: PostgresServer
let pool: Pool

beforeAll(async () => {
  clock = await startClock()
  clock.shift(3_600)
  server = await startPostgres({ env: clock.env })
  pool = new Pool({ connectionString: server.url })
  pool.on('error', () => {})
  await migrate(pool, { also: [webhookMigrations] })
})

afterAll(async () => {
  await pool.end()
  await server.stop()
  clock.remove()
})

test('times set before the database clock was put back are moved to lie as far ahead as when they were set', async () => {
  const hooks = webhooks({
    client: pool,
    ...LOCAL,
    schedule: [200, 20_000],
    breakerFailures: 1,
    cooldownMs: 100,
  })
  const failing = await startReceiver(({ before }, response) => {
    response.writeHead(before === 0 ? 500 : 204).end()
  })
  const rated = await startReceiver()
  const left = await startReceiver(({ before }, response) => {
    if (before > 0) response.writeHead(204).end()
  })
  const patient = await startReceiver(({ before }, response) => {
    response.writeHead(before === 0 ? 503 : 204, { 'retry-after': '600' }).end()
  })
  const register = (url: string, type: string, rate?: number) =>
    hooks.endpoints.register({ url, types: [type], ...(rate !== undefined && { rate }) })
  await register(failing.url, 'failing')
  await register(rated.url, 'rated', 1)
  await register(patient.url, 'patient')
  await fanOut(
    hooks,
    pool,
    ['failing', 'rated', 'patient'].map((type) => eventOf({ type })),
  )
  // Each was sent once: one waits for its retry behind a breaker, one has a rate.
  expect(await hooks.createWorker().deliverOnce()).toBe(3)
  // Another one is leased by a process that is gone.
  await register(left.url, 'left')
  await fanOut(hooks, pool, [eventOf({ type: 'left' })])
  const victim = await startNode(new URL('../servers/worker-process.ts', import.meta.url), {
    env: { DATABASE_URL: server.url, TIMEOUT_MS: '2000', CONCURRENCY: '1' },
    readyTimeoutMs: 120_000,
  })
  onTestFinished(() => victim.kill())
  await waitFor(() => left.received.length === 1, { what: 'it to arrive' })
  victim.kill()
  await victim.exited

  const { rows } = await pool.query('select now() as now')
  expect(rows[0].now.getTime()).toBeGreaterThan(Date.now() + 3_000_000)
  clock.shift(0)
  await fanOut(hooks, pool, [eventOf({ type: 'rated' })])
  const worker = hooks.createWorker()
  worker.start()
  onTestFinished(() => worker.stop())
  await waitFor(
    () =>
      failing.received.length === 2 && rated.received.length === 2 && left.received.length === 2,
    { what: 'each of them again', timeoutMs: 60_000 },
  )
  // The endpoint that asked for ten minutes still gets nothing for that long.
  expect(patient.received).toHaveLength(1)
  const pending = () => hooks.deliveries.list({ state: 'pending' })
  await waitFor(async () => (await pending()).length === 1, { what: 'their outcomes' })
  const [row] = await pending()
  const aheadMs = (row?.dueAt?.getTime() ?? 0) - Date.now()
  expect(aheadMs).toBeGreaterThan(500_000)
  expect(aheadMs).toBeLessThan(601_000)
})
