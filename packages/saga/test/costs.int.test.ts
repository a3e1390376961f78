import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { type AnySaga, createSagaRunner, type Saga, saga, sagaMigrations } from '@oncekey/saga'
import {
  countStatements,
  durable,
  freshDatabase,
  type PostgresServer,
  resetStatements,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Client, Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

// A separate server, because its flush counter is for all clients, and because background flushing
// is off.
let server: PostgresServer
let template: string
beforeAll(async () => {
  server = await startPostgres({ settings: { ...durable, wal_writer_delay: '10s' } })
  const database = await freshDatabase(server.url)
  const pool = new Pool({ connectionString: database.url, max: 1 })
  await migrate(pool, { also: [sagaMigrations] })
  await pool.query('create table notes (step text)')
  await pool.end()
  template = database.name
})
afterAll(() => server.stop())

const write = async ({
  transaction,
  emit,
}: {
  transaction(): Promise<PoolClient>
  emit(event: { type: string }): void
}) => {
  await (await transaction()).query('insert into notes values ($1)', ['x'])
  emit({ type: 'noted' })
}
const ofSteps = (kind: 'local' | 'outside', count: number): AnySaga<PoolClient> => {
  let flow: Saga<null, object, PoolClient, unknown> = saga<null, PoolClient>(`${kind}-${count}`, {
    version: 1,
  })
  for (let n = 1; n <= count; n++) {
    const name = `step-${n}`
    flow =
      kind === 'local'
        ? flow.step(name, { local: true, run: write })
        : flow.step(name, { run: async () => n })
  }
  return flow
}

test.each([
  // One flush to record the run, and one for each step.
  { kind: 'local', steps: 1, flushes: 2 },
  { kind: 'local', steps: 5, flushes: 6 },
  { kind: 'outside', steps: 1, flushes: 2 },
  { kind: 'outside', steps: 5, flushes: 6 },
] as const)(
  '$steps $kind steps: $flushes commits and flushes',
  async ({ kind, steps, flushes }) => {
    const { url } = await freshDatabase(server.url, { template })
    const pool = new Pool({ connectionString: url, max: 1 })
    const flow = ofSteps(kind, steps)
    const sagas = createSagaRunner({ client: pool, sagas: [flow] })
    await pool.query('select 1')
    await resetStatements(url)
    const before = await flushesNow()
    await sagas.execute(flow, { id: randomUUID(), input: null })
    const counted = await countStatements(url)
    await pool.end()
    const database = new URL(url).pathname.slice(1)
    await waitFor(
      async () =>
        (await onServer('select from pg_stat_activity where datname = $1', [database])).length ===
        0,
      { what: 'the connection to report its flushes' },
    )
    const calls = (part: string) =>
      counted.filter(({ query }) => query.includes(part)).reduce((sum, each) => sum + each.calls, 0)
    expect(calls('saga_record')).toBe(steps)
    expect(counted.find(({ query }) => query === 'COMMIT')?.calls ?? 0).toBe(
      kind === 'local' ? steps : 0,
    )
    expect(calls('saga_hold')).toBe(kind === 'local' ? steps : 0)
    expect(calls('insert into notes')).toBe(kind === 'local' ? steps : 0)
    expect((await flushesNow()) - before).toBe(flushes)
  },
)

async function flushesNow(): Promise<number> {
  const [row] = await onServer<{ flushes: number }>(
    `select coalesce(sum(fsyncs), 0)::int as flushes from pg_stat_io
       where object = 'wal' and backend_type = 'client backend'`,
  )
  return row?.flushes ?? 0
}

async function onServer<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: server.url })
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}
