import { randomUUID } from 'node:crypto'
import { backoff } from '@oncekey/outbox'
import { createSagaRunner, PermanentError, saga } from '@oncekey/saga'
import { startProxy } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const RECORD = 'saga_record_4('

async function behindProxy() {
  const url = new URL(database.url())
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  onTestFinished(async () => {
    await pool.end()
    await proxy.stop()
  })
  return { proxy, pool }
}

// A bug: the function was called again, although its process lived, had its end, and could read
// that the end was not on record. A service without keys charged twice.
test('a step whose record is lost on its way is not called again', async () => {
  const { proxy, pool } = await behindProxy()
  let calls = 0
  const flow = saga<null, PoolClient>('lost-on-its-way', { version: 1 }).step('charge', {
    run: () => ++calls,
  })
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const lost = proxy.dropBefore(RECORD)
  expect(await sagas.execute(flow, { id: randomUUID(), input: null })).toEqual({ charge: 1 })
  await lost
  expect(calls).toBe(1)
})

test('nor is one whose answer alone is lost', async () => {
  const { proxy, pool } = await behindProxy()
  const calls: string[] = []
  const flow = saga<null, PoolClient>('answer-lost', { version: 1 })
    .step('charge', { run: () => void calls.push('charge') })
    .step('ship', { run: () => void calls.push('ship') })
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const lost = proxy.dropAfter(RECORD)
  await sagas.execute(flow, { id: randomUUID(), input: null })
  await lost
  expect(calls).toEqual(['charge', 'ship'])
})

test('nor is one whose database is away for a while', async () => {
  const { proxy, pool } = await behindProxy()
  let calls = 0
  const flow = saga<null, PoolClient>('away-for-a-while', { version: 1 }).step('charge', {
    run() {
      calls += 1
      proxy.refuse()
      proxy.cut()
      setTimeout(() => void proxy.accept(), 1_000)
      return 'charged'
    },
  })
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const id = randomUUID()
  const { id: submitted } = await sagas.submit(flow, { id, input: null })
  await sagas.runOnce()
  expect(await sagas.get(submitted)).toMatchObject({
    state: 'completed',
    steps: [{ attempts: 1, result: 'charged' }],
  })
  expect(calls).toBe(1)
})

test('what the first attempt of a pivot says is not forgotten with its record', async () => {
  const { proxy, pool } = await behindProxy()
  let calls = 0
  const flow = saga<null, PoolClient>('declined-and-lost', { version: 1 }).step('charge', {
    kind: 'pivot',
    run() {
      calls += 1
      throw new PermanentError('declined')
    },
  })
  const sagas = createSagaRunner({ client: pool, sagas: [flow], onAlert() {} })
  const lost = proxy.dropBefore(RECORD)
  await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
  })
  await lost
  expect(calls).toBe(1)
})

test('a step that wrote in its transaction is called again, because that is gone', async () => {
  const { proxy, pool } = await behindProxy()
  let calls = 0
  const flow = saga<null, PoolClient>('written-and-lost', { version: 1 }).step('charge', {
    retry: { backoff: backoff({ baseMs: 1, capMs: 1 }) },
    async run({ runId, transaction }) {
      calls += 1
      const tx = await transaction()
      await tx.query('insert into effects values ($1, $2)', [runId, `call ${calls}`])
    },
  })
  const sagas = createSagaRunner({ client: pool, sagas: [flow] })
  const id = randomUUID()
  const lost = proxy.dropBefore(RECORD)
  await sagas.execute(flow, { id, input: null })
  await lost
  expect(await database.query('select step from effects where run = $1', [id])).toEqual([
    { step: 'call 2' },
  ])
})
