import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { createSagaRunner, type Saga, saga, sagaMigrations } from '@oncekey/saga'
import {
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startStandby,
  waitFor,
} from '@oncekey/test-servers'
import { Client, Pool, type PoolClient } from 'pg'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let primary: PostgresServer
let standby: PostgresStandby
let pool: Pool

beforeEach(async () => {
  primary = await startPostgres()
  const { hostname: host, username: user, password, port } = new URL(primary.url)
  pool = new Pool({ host, user, password, port: Number(port), database: 'postgres', max: 6 })
  pool.on('error', () => {})
  await migrate(pool, { also: [sagaMigrations] })
  await pool.query('create table effects (run text, step text)')
  standby = await startStandby(primary)
}, 240_000)

afterEach(async () => {
  await pool.end()
  await standby.stop()
  await primary.stop()
})

/**
 * Stops the primary, and leads the application to the standby, which is promoted. The runner keeps
 * running.
 */
async function failOver(): Promise<void> {
  await primary.crash()
  await standby.promote()
  Object.assign(pool.options, { port: standby.port })
}

async function onStandby<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: standby.url })
  await client.connect()
  try {
    return (await client.query<Row>(text, values)).rows
  } finally {
    await client.end()
  }
}

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

function order(
  calls: string[],
  gate: (step: string) => Promise<void>,
): Saga<null, object, PoolClient, unknown> {
  const write =
    (step: string) =>
    async ({ runId, transaction }: { runId: string; transaction(): Promise<PoolClient> }) => {
      await (await transaction()).query('insert into effects values ($1, $2)', [runId, step])
    }
  return saga<null, PoolClient>('order', { version: 1 })
    .step('reserve', {
      local: true,
      run: async (context) => {
        await gate('reserve')
        await write('reserve')(context)
      },
    })
    .step('charge', {
      run: async ({ idempotencyKey }) => {
        calls.push(idempotencyKey)
        await gate('charge')
      },
    })
    .step('confirm', { local: true, run: write('confirm') })
}

describe('a failover to an asynchronous standby in the middle of a step', () => {
  test('repeats a step whose record it lost, and the run ends with the effects of all its steps', async () => {
    const calls: string[] = []
    const [reserving, charging] = [gate(), gate()]
    const flow = order(calls, (step) => (step === 'reserve' ? reserving : charging).opened)
    const sagas = createSagaRunner<PoolClient>({
      client: pool,
      sagas: [flow],
      leaseMs: 1_500,
      pollMs: 50,
    })
    const id = randomUUID()
    await sagas.submit(flow, { id, input: null })
    sagas.start()
    await waitFor(async () => (await sagas.get(id))?.owner, { what: 'the run to be taken' })
    // Both servers record that this process has the run, under the same epoch. Later moves are not
    // replicated.
    await standby.caughtUp()
    standby.cutOff()
    reserving.open()
    await waitFor(() => calls.length, { what: 'the charge to begin, its step before committed' })
    await failOver()
    expect(await onStandby('select from effects where run = $1', [id])).toEqual([])
    charging.open()
    await waitFor(async () => (await sagas.get(id).catch(() => undefined))?.state === 'completed', {
      what: 'the run to end on the new primary',
      timeoutMs: 30_000,
    })
    expect(await onStandby('select step from effects where run = $1 order by step', [id])).toEqual([
      { step: 'confirm' },
      { step: 'reserve' },
    ])
    // The call to the other system was repeated under the same key.
    expect(new Set(calls).size).toBe(1)
    await sagas.stop({ timeoutMs: 100 })
  }, 240_000)

  test('that lost the run makes the waiting caller start it again under the same keys', async () => {
    const calls: string[] = []
    const charging = gate()
    const flow = order(calls, async (step) => {
      if (step === 'charge') await charging.opened
    })
    const sagas = createSagaRunner<PoolClient>({
      client: pool,
      sagas: [flow],
      leaseMs: 1_500,
      pollMs: 50,
    })
    standby.cutOff()
    const id = randomUUID()
    const waiting = sagas.execute(flow, { id, input: null })
    await waitFor(() => calls.length, { what: 'the charge to begin' })
    await failOver()
    charging.open()
    await waiting
    expect(await onStandby('select step from effects where run = $1 order by step', [id])).toEqual([
      { step: 'confirm' },
      { step: 'reserve' },
    ])
    expect(new Set(calls).size).toBe(1)
    await sagas.stop({ timeoutMs: 100 })
  }, 240_000)
})
