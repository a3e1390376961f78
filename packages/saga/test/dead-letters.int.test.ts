import { randomUUID } from 'node:crypto'
import { deadLetters } from '@oncekey/outbox'
import { saga, sagaRunner, TerminalError } from '@oncekey/saga'
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
      throw new TerminalError('no such address')
    },
  })
const runner = () =>
  sagaRunner<PoolClient>({ client: database.pool(), sagas: [capture, refund], onAlert: () => {} })

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

test('dead runs are listed page by page, with why and how', async () => {
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
    [1, 'TerminalError'],
    [1, 'RangeError'],
    [2, 'RangeError'],
  ])
  expect(await dead.get('nobody')).toBeUndefined()
})

test('what is previewed is what is redriven, by any part of the filter', async () => {
  const dead = deadLetters(runner().deadLetters)
  const [kept] = (await dead.list()).items
  for (const [filter, count] of [
    [{}, 3],
    [{ origin: 'capture' }, 2],
    [{ type: 'compensation-failed' }, 1],
    [{ subject: 'charge' }, 1],
    [{ reason: 'exhausted' }, 3],
    // Errors that differ by a number are of one kind.
    [{ fingerprint: kept?.error?.fingerprint ?? '' }, 2],
    [{ ids: [ids[1] as string, 'nobody'] }, 1],
    [{ eventIds: [ids[0] as string] }, 1],
    [{ deadBefore: new Date(0) }, 0],
    [{ deadAfter: new Date(0) }, 3],
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

test('redriving one that somebody drives takes nothing away from it', async () => {
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

test('discarding one settles it, once, with its note', async () => {
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
