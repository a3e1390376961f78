import { randomUUID } from 'node:crypto'
import { PermanentError } from '@oncekey/outbox'
import { createSagaRunner, saga } from '@oncekey/saga'
import { beforeAll, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
const noted = saga<null>('noted', { version: 1 }).step('note', { run: () => {} })

beforeAll(() =>
  database.query(
    `create function drop_it() returns trigger language plpgsql as $$ begin return null; end $$`,
  ),
)

/** Runs an act beside a trigger that drops a write without an error. */
async function whileDropped(table: string, event: string, act: () => Promise<unknown>) {
  await database.query(
    `create trigger drops before ${event} on oncekey.${table}
       for each row execute function drop_it()`,
  )
  try {
    return await act()
  } finally {
    await database.query(`drop trigger drops on oncekey.${table}`)
  }
}

const dropped = (table: string) => ({
  code: 'store-unavailable',
  message: expect.stringContaining(`"${table}" of Oncekey was dropped`),
})

// A bug: a step that was not on record was reported as written, and ran again in the next process.
test.each([
  ['saga_runs', 'update'],
  ['saga_steps', 'insert'],
  ['saga_failures', 'insert'],
  ['saga_work', 'delete'],
])('a move whose write to %s a trigger drops is not written at all', async (table, event) => {
  const runner = createSagaRunner({ client: database.pool(), sagas: [noted] })
  const { id } = await runner.submit(noted, { id: randomUUID(), input: null })
  const [taken] = await database.query<{ run: { epoch: number; move: string } }>(
    "select oncekey.saga_take_2($1, null, 'here', 60000) as run",
    [id],
  )
  const record = {
    run: { state: 'completed', ended: true },
    steps: [{ position: 0, name: 'note', state: 'done', attempts: 1, compensation_attempts: 0 }],
    failures: [{ step: 'note', direction: 'run', attempt: 1, error: '{}', duration_ms: 1 }],
    next: { kind: 'end' },
  }
  const write = () =>
    database.query(
      `select oncekey.saga_record_4($1, $2, $3, 'next', 'running', 60000, false, false, null,
         $4, null) as outcome`,
      [id, taken?.run.epoch, taken?.run.move, JSON.stringify(record)],
    )
  await expect(whileDropped(table, event, write)).rejects.toMatchObject({
    code: 'OK007',
    message: expect.stringContaining(table),
  })
  expect(await write()).toEqual([{ outcome: 'written' }])
  expect((await runner.get(id))?.state).toBe('completed')
})

// A bug: the run was on record without work, so nobody ever took it.
test.each(['saga_work', 'saga_steps'])(
  'a start whose write to %s a trigger drops starts nothing',
  async (table) => {
    const runner = createSagaRunner({ client: database.pool(), sagas: [noted] })
    const id = randomUUID()
    const submit = () => runner.submit(noted, { id, input: null })
    await expect(whileDropped(table, 'insert', submit)).rejects.toMatchObject(dropped(table))
    expect(await runner.get(id)).toBeUndefined()
    expect(await submit()).toEqual({ id, isNew: true })
    expect(await runner.execute(noted, { id, input: null })).toEqual({ note: null })
  },
)

test('a run whose take a trigger drops is driven by nobody', async () => {
  const runner = createSagaRunner({ client: database.pool(), sagas: [noted] })
  const { id } = await runner.submit(noted, { id: randomUUID(), input: null })
  const execute = () => runner.execute(noted, { id, input: null })
  await expect(whileDropped('saga_work', 'update', execute)).rejects.toMatchObject(
    dropped('saga_work'),
  )
  expect((await runner.get(id))?.steps).toMatchObject([{ state: 'begun', attempts: 0 }])
  expect(await execute()).toEqual({ note: null })
})

const failing = saga<null>('failing', { version: 1 }).step('stay', {
  run: () => {
    throw new PermanentError('no')
  },
  compensate: () => {
    throw new PermanentError('neither')
  },
})

// A bug: a resumed run was due while it was still dead, and a settled one had no work and no end.
test.each([
  ['resume', 'saga_runs', 'update'],
  ['resume', 'saga_work', 'update'],
  ['resume', 'saga_steps', 'update'],
  ['compensate', 'saga_runs', 'update'],
  ['compensate', 'saga_work', 'update'],
  ['settle', 'saga_runs', 'update'],
  ['settle', 'saga_work', 'delete'],
] as const)('an operator’s %s whose write to %s a trigger drops changes nothing', async (...of) => {
  const [act, table, event] = of
  const runner = createSagaRunner({ client: database.pool(), sagas: [failing] })
  const id = randomUUID()
  await expect(runner.execute(failing, { id, input: null })).rejects.toMatchObject({
    code: 'saga-compensation-failed',
  })
  const before = await runner.get(id)
  const acts = {
    resume: () => runner.resume(id),
    compensate: () => runner.compensate(id),
    settle: () => runner.settle(id, 'by hand'),
  }
  await expect(whileDropped(table, event, acts[act])).rejects.toMatchObject(dropped(table))
  expect(await runner.get(id)).toEqual(before)
  expect(await runner.runOnce()).toBe(0)
})
