import { randomUUID } from 'node:crypto'
import { PermanentError, saga } from '@oncekey/saga'
import type { PoolClient } from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { AT_ONCE, database, retry, runnerOf } from './failing-steps.ts'

beforeAll(() =>
  database.query(
    'create table charged (reference text unique deferrable initially deferred, run text)',
  ),
)

/** The first `times` records of the step `name` as `as` are refused with this SQLSTATE. */
async function refusing(name: string, state: string, times: number, as = 'done') {
  const id = name.replaceAll('-', '_')
  await database.query(`create sequence refused_${id}`)
  await database.query(`create function refuse_${id}() returns trigger language plpgsql as $$
    begin
      if nextval('public.refused_${id}') <= ${times} then
        raise exception 'refused in passing' using errcode = '${state}';
      end if;
      return new;
    end $$`)
  await database.query(`create trigger refuse_${id} before insert on oncekey.saga_steps
    for each row when (new.name = '${name}' and new.state = '${as}')
    execute function refuse_${id}()`)
}

// A bug: the charge had happened and its record met a deadlock, which counted as the last failed
// attempt. The run was undone, and the compensation got no result. The same later with what an
// earlier user left in a session: a role (42501), read-only transactions (25006), an encoding.
test.each(['40001', '40P01', '55P03', '57014', '53200', '42501', '25006', 'OK006'])(
  'the record of a step that is refused with %s in passing is written later, and is no failure',
  async (state) => {
    const name = `charge-${state}`.toLowerCase()
    const calls: string[] = []
    const flow = saga<null, PoolClient>(name, { version: 1 })
      .step(name, {
        retry: { maxAttempts: 1 },
        run: () => {
          calls.push('charged')
          return { reference: 'ch_1' }
        },
        compensate: ({ result }) => void calls.push(`refunded ${JSON.stringify(result)}`),
      })
      .step('ship', { run: () => void calls.push('shipped') })
    await refusing(name, state, 3)
    const { sagas } = runnerOf([flow])
    const id = randomUUID()
    expect(await sagas.execute(flow, { id, input: null })).toMatchObject({
      [name]: { reference: 'ch_1' },
    })
    expect(calls).toEqual(['charged', 'shipped'])
    expect((await sagas.get(id))?.steps[0]).toMatchObject({ attempts: 1 })
  },
)

// A bug: the function was called again each time the run was read again, four times by each process
// that took the run, whatever `maxAttempts` said.
test('a step whose record is refused for long is not called again while its process has the run', async () => {
  const calls: string[] = []
  const flow = saga<null, PoolClient>('refused-for-long', { version: 1 }).step('charge-long', {
    retry: { maxAttempts: 1 },
    run({ emit }) {
      calls.push('charged')
      emit({ type: 'charged', subject: 'ch_1', data: {} })
      return { reference: `ch_${calls.length}` }
    },
    compensate: () => void calls.push('refunded'),
  })
  await refusing('charge-long', '57014', 8)
  const { sagas } = runnerOf([flow])
  const id = randomUUID()
  expect(await sagas.execute(flow, { id, input: null })).toMatchObject({
    'charge-long': { reference: 'ch_1' },
  })
  expect(calls).toEqual(['charged'])
  expect((await sagas.get(id))?.steps[0]).toMatchObject({ attempts: 1 })
  expect(await database.query(`select from oncekey.outbox where type = 'charged'`)).toHaveLength(1)
})

test('a failure whose record is refused for long is recorded without another call', async () => {
  const calls: string[] = []
  const flow = saga<null, PoolClient>('failure-refused', { version: 1 }).step('charge-failed', {
    retry: { maxAttempts: 1 },
    run() {
      calls.push('charged')
      throw new Error('the gateway is down')
    },
    compensate: () => void calls.push('refunded'),
  })
  await refusing('charge-failed', '57014', 8, 'failed')
  const { sagas } = runnerOf([flow])
  await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
  })
  expect(calls).toEqual(['charged', 'refunded'])
})

test('a pivot that was declined is undone also if the record of that was refused at first', async () => {
  const calls: string[] = []
  const flow = saga<null, PoolClient>('declined-refused', { version: 1 })
    .step('reserve', {
      run: () => void calls.push('reserved'),
      compensate: () => void calls.push('released'),
    })
    .step('capture-refused', {
      kind: 'pivot',
      run() {
        calls.push('declined')
        throw new PermanentError('declined')
      },
    })
  await refusing('capture-refused', '57014', 8, 'failed')
  const { sagas } = runnerOf([flow])
  await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
  })
  expect(calls).toEqual(['reserved', 'declined', 'released'])
})

// A bug: an error of the step's COMMIT that `isPermanent` accepts counted as the word of the step
// that it had had no effect. The pivot had charged, and what came before it was undone.
test('a pivot whose commit is refused after it has charged leaves the run stuck', async () => {
  const calls: string[] = []
  const isPermanent = (error: unknown) => (error as { code?: string }).code === '23505'
  const flow = saga<null, PoolClient>('refused-pivot', { version: 1 })
    .step('reserve', {
      run: () => void calls.push('reserved'),
      compensate: () => void calls.push('released'),
    })
    .step('charge', {
      kind: 'pivot',
      retry,
      isPermanent,
      async run({ runId, transaction }) {
        calls.push('charged')
        const tx = await transaction()
        await tx.query(`insert into charged values ('ch_1', $1)`, [runId])
      },
    })
  const { sagas, alerts } = runnerOf([flow])
  await sagas.execute(flow, { id: randomUUID(), input: null })
  await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
    code: 'saga-stuck',
  })
  expect(calls).toEqual(['reserved', 'charged', 'reserved', 'charged'])
  expect(alerts).toMatchObject([{ kind: 'stuck', reason: 'permanent' }])
})

test('a step before the pivot whose commit is refused is undone with its own compensation', async () => {
  const calls: string[] = []
  const flow = saga<null, PoolClient>('refused-step', { version: 1 }).step('charge', {
    retry: { maxAttempts: 2, backoff: AT_ONCE },
    isPermanent: (error) => (error as { code?: string }).code === '23505',
    async run({ runId, transaction }) {
      calls.push('charged')
      const tx = await transaction()
      await tx.query(`insert into charged values ('ch_2', $1)`, [runId])
    },
    compensate: () => void calls.push('refunded'),
  })
  const { sagas } = runnerOf([flow])
  await sagas.execute(flow, { id: randomUUID(), input: null })
  await expect(sagas.execute(flow, { id: randomUUID(), input: null })).rejects.toMatchObject({
    code: 'saga-compensated',
  })
  expect(calls).toEqual(['charged', 'charged', 'refunded'])
})
