import { randomUUID } from 'node:crypto'
import { deadLetters } from '@oncekey/outbox'
import { createSagaRunner, PermanentError, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { sagaDatabase } from './saga-database.ts'

const database = sagaDatabase()
let isDown = true
const retry = { maxAttempts: 2, backoff: () => 0 }
const capture = saga<number, PoolClient>('capture', { version: 1 }).step('capture', {
  kind: 'pivot',
  retry,
  run({ input }) {
    if (isDown) throw new Error(`bank ${input} is down`)
  },
})
const refund = saga<number, PoolClient>('refund', { version: 1 })
  .step('charge', {
    run: () => 1,
    compensationRetry: retry,
    compensate() {
      if (isDown) throw new RangeError('no refunds today')
    },
  })
  .step('ship', {
    run() {
      throw new PermanentError('no such address')
    },
  })
const runner = () =>
  createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [capture, refund],
    onAlert: () => {},
  })

/** Two runs of one saga and one of the other, all dead. */
let ids: string[]
beforeEach(async () => {
  isDown = true
  await database.query('delete from oncekey.saga_runs')
  await database.query('delete from oncekey.saga_work')
  const sagas = runner()
  ids = [randomUUID(), randomUUID(), randomUUID()]
  for (const [n, id] of ids.entries()) {
    const run =
      n < 2 ? sagas.execute(capture, { id, input: n }) : sagas.execute(refund, { id, input: n })
    await run.catch(() => {})
  }
})

test('lists dead runs page by page, with reason and error', async () => {
  const dead = deadLetters(runner().deadLetters)
  const first = await dead.list({}, { limit: 2 })
  const second = await dead.list({}, { limit: 2, after: first.next ?? '' })
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids)
  expect(second.next).toBeUndefined()
  expect(first.items[0]).toMatchObject({
    origin: 'capture',
    state: 'dead',
    type: 'stuck',
    subject: 'capture',
    reason: 'exhausted',
    error: { name: 'Error', message: 'bank 0 is down' },
    attempts: 2,
    redrives: 0,
    deadAt: expect.any(Date),
  })
  expect(second.items[0]).toMatchObject({
    origin: 'refund',
    type: 'compensation-failed',
    subject: 'charge',
    error: { name: 'RangeError' },
  })
  const detail = await dead.get(ids[2] as string)
  expect(detail?.history.map(({ number, error }) => [number, error.name])).toEqual([
    [1, 'PermanentError'],
    [1, 'RangeError'],
    [2, 'RangeError'],
  ])
  expect(await dead.get('nobody')).toBeUndefined()
})

test('lists runs that failed and are being retried, with the time of their next attempt', async () => {
  const slow = { maxAttempts: 5, backoff: () => 60_000 }
  const patient = saga<number, PoolClient>('patient', { version: 1 }).step('ask', {
    retry: slow,
    run() {
      throw new Error('not yet')
    },
  })
  const sagas = createSagaRunner<PoolClient>({
    client: database.pool(),
    sagas: [patient, capture, refund],
  })
  const waiting = ['w1', 'w2', 'w3']
  for (const [n, id] of waiting.entries()) {
    await sagas.submit(patient, { id, input: n })
  }
  const dead = deadLetters(sagas.deadLetters)
  const haveFailed = async () => {
    await sagas.runOnce()
    return (await dead.retrying()).items.length === 3
  }
  await waitFor(haveFailed, { what: 'three runs to have failed once' })
  const first = await dead.retrying({}, { limit: 2 })
  const second = await dead.retrying({}, { limit: 2, after: first.next ?? '' })
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(waiting)
  expect(second.next).toBeUndefined()
  expect(first.items[0]).toMatchObject({
    origin: 'patient',
    state: 'retrying',
    type: 'running',
    subject: 'ask',
    error: { name: 'Error', message: 'not yet' },
    attempts: 1,
    deadAt: null,
  })
  expect(first.items[0]?.dueAt?.getTime()).toBeGreaterThan(Date.now())
  expect((await dead.retrying({ origin: 'capture' })).items).toEqual([])
  expect((await dead.retrying({ subject: 'nothing' })).items).toEqual([])
})

test('a caller that stops waiting between two attempts gets saga-in-progress, and the run continues', async () => {
  const slow = { maxAttempts: 5, backoff: () => 60_000 }
  const patient = saga<number, PoolClient>('patient', { version: 1 }).step('ask', {
    retry: slow,
    run() {
      throw new Error('not yet')
    },
  })
  const sagas = createSagaRunner<PoolClient>({ client: database.pool(), sagas: [patient] })
  const waiting = new AbortController()
  const run = sagas.execute(patient, { id: 'p1', input: 1, signal: waiting.signal })
  const outcome = run.catch((error) => error)
  const dead = deadLetters(sagas.deadLetters)
  await waitFor(async () => (await dead.retrying({ origin: 'patient' })).items.length === 1, {
    what: 'the run to have failed once',
  })
  const reason = new Error('the client is gone')
  waiting.abort(reason)
  expect(await outcome).toBe(reason)
  expect((await sagas.get('p1'))?.state).toBe('running')
})

test('redrives exactly what the preview showed, for every field of the filter', async () => {
  const dead = deadLetters(runner().deadLetters)
  const [kept] = (await dead.list()).items
  for (const [filter, count] of [
    [{}, 3],
    [{ origin: 'capture' }, 2],
    [{ type: 'compensation-failed' }, 1],
    [{ subject: 'charge' }, 1],
    [{ reason: 'exhausted' }, 3],
    // Errors that differ only in a number have one fingerprint.
    [{ fingerprint: kept?.error?.fingerprint ?? '' }, 2],
    [{ ids: [ids[1] as string, 'nobody'] }, 1],
    [{ eventIds: [ids[0] as string] }, 1],
    [{ deadBefore: new Date(0) }, 0],
    [{ deadAfter: new Date(0) }, 3],
    [{ retired: true }, 0],
  ] as const) {
    expect(await dead.preview(filter), JSON.stringify(filter)).toMatchObject({ matched: count })
  }
  expect(await dead.stats()).toMatchObject({
    depth: 3,
    oldestAgeMs: expect.any(Number),
    groups: [
      { origin: 'capture', count: 2 },
      { origin: 'refund', count: 1 },
    ],
  })

  isDown = false
  const redriven = await dead.redrive({ origin: 'capture' }, { ratePerSecond: 1_000 })
  expect(redriven).toMatchObject({ matched: 2, redriven: ids.slice(0, 2), refused: [] })
  const sagas = runner()
  await waitFor(() => sagas.runOnce(), { what: 'them to be due' })
  expect((await sagas.get(ids[0] as string))?.state).toBe('completed')
  expect(await dead.preview({})).toMatchObject({ matched: 1 })
  expect(await dead.get(ids[0] as string)).toMatchObject({
    state: 'resolved',
    resolution: 'redriven',
    redrives: 1,
  })
})

test('redriving a run that a process drives leaves it to that process', async () => {
  const sagas = runner()
  const dead = deadLetters(sagas.deadLetters)
  const [id] = ids as [string]
  await sagas.resume(id)
  const epoch = async () =>
    (
      await database.query<{ epoch: string }>(
        'select epoch from oncekey.saga_work where run_id = $1',
        [id],
      )
    )[0]?.epoch
  const before = await epoch()
  expect(await dead.redrive({ ids: [id] })).toMatchObject({
    redriven: [],
    refused: [{ id, outcome: 'retrying' }],
  })
  expect(await epoch()).toBe(before)
})

test('discarding a run settles it once, with its note', async () => {
  const sagas = runner()
  const dead = deadLetters(sagas.deadLetters)
  const [id] = ids as [string]
  expect(await dead.discard([id, 'nobody'], 'written off')).toEqual([
    { id, outcome: 'discarded' },
    { id: 'nobody', outcome: 'unknown' },
  ])
  expect(await dead.discard([id], 'again')).toEqual([{ id, outcome: 'already-discarded' }])
  expect(await sagas.get(id)).toMatchObject({ state: 'settled', note: 'written off' })
  expect(await dead.get(id)).toMatchObject({ resolution: 'discarded', note: 'written off' })
})

// A bug: the run was looked at first and settled afterwards, whatever had become of it. One that
// somebody had resumed in between was over, neither gone on with nor undone.
test('a run that is resumed meanwhile is not discarded', async () => {
  const dead = deadLetters(runner().deadLetters)
  const [id] = ids as [string]
  const operator = await database.pool().connect()
  await operator.query('begin')
  await operator.query('select from oncekey.saga_runs where id = $1 for update', [id])
  const discarding = dead.discard([id], 'written off')
  await waitFor(
    async () => {
      const waiting = await database.query(
        `select from pg_stat_activity where wait_event_type = 'Lock'
          and datname = current_database() and query like '%saga_%'`,
      )
      return waiting.length === 1
    },
    { what: 'the discard to wait for the run' },
  )
  await operator.query('select oncekey.saga_resume_3($1, true)', [id])
  await operator.query('commit')
  operator.release()
  expect(await discarding).toEqual([{ id, outcome: 'retrying' }])
  expect((await runner().get(id))?.state).toBe('running')
})
