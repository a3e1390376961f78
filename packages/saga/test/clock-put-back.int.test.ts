import { randomUUID } from 'node:crypto'
import { createSagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()

test('a run scheduled before the clock was set back becomes due within a minute', async () => {
  const flow = saga<null, PoolClient>('clocked', { version: 1 }).step('call', { run: () => 1 })
  const sagas = createSagaRunner<PoolClient>({ client: database.pool(), sagas: [flow], pollMs: 10 })
  const ids = [randomUUID(), randomUUID()]
  for (const id of ids) await sagas.submit(flow, { id, input: null })
  const [leased, waiting] = ids
  // The rows as they are after the server's clock was set back an hour.
  await database.query(
    `update oncekey.saga_work set due_in_ms = 1000, due_at = now() + interval '1 hour',
       owner = 'gone' where run_id = $1`,
    [leased],
  )
  await database.query(
    `update oncekey.saga_work set due_in_ms = 500, due_at = now() + interval '1 hour'
       where run_id = $1`,
    [waiting],
  )
  sagas.start()
  for (const id of ids) {
    await waitFor(async () => (await sagas.get(id))?.state === 'completed', { what: id })
  }
  await sagas.stop()
})

// A bug: such a run was made due although its owner lived, so another process ran the step again
// beside it, or an operator's compensation overtook it.
test('a clock that was put back takes no run from a process that lives', async () => {
  let calls = 0
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const flow = saga<null, PoolClient>('clocked-alive', { version: 1 }).step('call', {
    run() {
      calls++
      return held
    },
  })
  const next = saga<null, PoolClient>('clocked-next', { version: 1 }).step('call', { run: () => 1 })
  const make = () =>
    createSagaRunner<PoolClient>({
      client: database.pool(),
      sagas: [flow, next],
      pollMs: 10,
      leaseMs: 60_000,
    })
  const [owner, other] = [make(), make()]
  const id = randomUUID()
  const running = owner.execute(flow, { id, input: null })
  await waitFor(() => calls === 1, { what: 'the step to begin' })
  // As it is after the clock was put back an hour, before the owner's next renewal.
  const work = `update oncekey.saga_work set due_at = due_at + interval '1 hour'
    where run_id = $1 returning owner, epoch`
  const before = await database.query(work, [id])
  const away = `select due_at < now() + interval '61 s' as is_mended, owner, epoch
    from oncekey.saga_work where run_id = $1`
  other.start()
  const mended = async () => {
    const [row] = await database.query<{ is_mended: boolean }>(away, [id])
    return row?.is_mended === true && row
  }
  expect(await waitFor(mended, { what: 'the lease to begin again' })).toMatchObject({
    ...before[0],
  })
  // The other process takes what is due, and that run is not.
  await other.execute(next, { id: randomUUID(), input: null })
  const { id: later } = await other.submit(next, { id: randomUUID(), input: null })
  await waitFor(async () => (await other.get(later))?.state === 'completed', { what: 'the next' })
  letGo()
  await running
  expect(calls).toBe(1)
  await other.stop()
})

// A bug: one long transaction of a step made the whole repair wait, and fail.
test('a run whose step is in a transaction holds up no repair after the clock was put back', async () => {
  const flow = saga<null, PoolClient>('clocked-beside', { version: 1 }).step('call', {
    run: () => 1,
  })
  const sagas = createSagaRunner<PoolClient>({ client: database.pool(), sagas: [flow], pollMs: 10 })
  const ids = [randomUUID(), randomUUID()]
  for (const id of ids) await sagas.submit(flow, { id, input: null })
  await database.query(
    `update oncekey.saga_work set due_at = now() + interval '1 hour' where run_id = any($1)`,
    [ids],
  )
  const step = await database.pool().connect()
  await step.query('begin')
  await step.query('select from oncekey.saga_work where run_id = $1 for update', [ids[0]])
  sagas.start()
  await waitFor(async () => (await sagas.get(ids[1] ?? ''))?.state === 'completed', {
    what: 'the other run',
  })
  await step.query('rollback')
  step.release()
  await sagas.stop()
})
