import { consumer, createRelay } from '@oncekey/outbox'
import { migrate, postgresLog, transact } from '@oncekey/postgres'
import { type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Client, Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ settings: { autovacuum: 'off' } })
})
afterAll(() => server.stop())

async function emit(pool: Pool, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await transact(pool, (_, emit) => emit({ type: 'order.created', data: { n } }))
  }
}

test('a database made from a template reuses no transaction number after a crash', async () => {
  const source = await server.createDatabase()
  const pool = new Pool({ connectionString: source, max: 2 })
  await migrate(pool)
  await emit(pool, 2)
  await pool.end()
  const admin = new Client({ connectionString: server.url })
  await admin.connect()
  const template = new URL(source).pathname.slice(1)
  await admin.query('checkpoint')
  await admin.query(`create database copied template ${template}`)
  await admin.query('checkpoint')
  await admin.end()

  const url = new URL(source)
  url.pathname = '/copied'
  const copied = new Pool({ connectionString: url.href, max: 6 })
  copied.on('error', () => {})
  // Every deploy migrates. From this point on the copy hands out its own transaction numbers.
  await migrate(copied)
  await emit(copied, 5)
  await server.crash()
  await server.restart()
  await waitFor(() => copied.query('select 1').catch(() => undefined), { what: 'the server' })
  await emit(copied, 5)
  const { rows } = await copied.query<{ seq: string }>('select seq from oncekey.outbox')
  expect(new Set(rows.map(({ seq }) => seq)).size).toBe(12)

  const seen: string[] = []
  const relay = createRelay({
    log: postgresLog({ client: copied }),
    consumers: [
      consumer<PoolClient>({
        name: 'all',
        types: ['*'],
        startAt: 'beginning',
        handle: ({ event }) => void seen.push(event.id),
      }),
    ],
  })
  relay.start()
  await waitFor(() => new Set(seen).size === 12, { what: 'every event' })
  await relay.stop()
  await copied.end()
})
