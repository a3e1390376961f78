import { actTarget } from '@oncekey/core'
import { postgresLog, postgresRedrives, postgresStore } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import { withDeadLetters } from './letters.ts'

const database = logDatabase()
const by = { actor: 'maria@shop.example', note: 'deployed a fix' }
const fast = { ratePerSecond: 1_000_000 }
const subjects = (count: number) => Array.from({ length: count }, (_, n) => `subject-${n}`)

function at() {
  const client = database.pool()
  const log = postgresLog({ client })
  const redrives = log.deadLetters.redrives
  if (redrives === undefined) throw new Error('The log of Postgres keeps redrives.')
  return { log, redrives, records: postgresRedrives({ client }), store: postgresStore({ client }) }
}

/** Carries until nothing is running. */
async function carryAll(redrives: ReturnType<typeof at>['redrives']): Promise<void> {
  while ((await redrives.carry()).nextInMs !== null);
}

test('a redrive is carried in portions, each with its progress, until all is taken', async () => {
  const { log, redrives, records } = at()
  const ids = await withDeadLetters(database, log, 'in-portions', subjects(25))
  const id = await redrives.start({ origin: 'in-portions' }, { ratePerSecond: 100 }, by)
  expect(await records.get(id)).toMatchObject({ state: 'running', matched: 25, redriven: 0 })
  await redrives.carry()
  expect(await records.get(id)).toMatchObject({ state: 'running', redriven: 10 })
  expect(await log.deadLetters.count({ origin: 'in-portions' })).toBe(15)
  await carryAll(redrives)
  expect(await records.get(id)).toMatchObject({ state: 'done', matched: 25, redriven: 25 })
  const { items } = await records.portions(id, { limit: 1_000 })
  expect(items.flatMap(({ redriven }) => redriven)).toEqual(ids)
})

test('starting and cancelling are acts, and a cancelled redrive takes nothing more', async () => {
  const { log, redrives, records, store } = at()
  await withDeadLetters(database, log, 'cancelled', subjects(15))
  const id = await redrives.start({ origin: 'cancelled' }, { ratePerSecond: 100 }, by)
  await redrives.carry()
  expect(await records.cancel(id, { ...by, note: 'it fails again' })).toBe('cancelled')
  expect(await records.cancel(id, by)).toBe('over')
  expect(await records.cancel('987654321', by)).toBe('unknown')
  await carryAll(redrives)
  expect(await records.get(id)).toMatchObject({ state: 'cancelled', redriven: 10 })
  expect(await log.deadLetters.count({ origin: 'cancelled' })).toBe(5)
  const trail = await store.operations.list({ target: actTarget('redrive', id) }, { limit: 10 })
  expect(trail?.items.map(({ act, note }) => [act, note])).toEqual([
    ['redrives.cancel', 'it fails again'],
    ['redrives.start', 'deployed a fix'],
  ])
})

// A bug: what had died before the clock was put back lay behind the end of the redrive, which ended
// without it.
test('letters that died before the clock was put back are taken, after those that died since', async () => {
  const { log, redrives, records } = at()
  const ids = await withDeadLetters(database, log, 'put-back', subjects(25))
  const earlier = ids.slice(0, 12)
  await database.query(
    "update oncekey.deliveries set dead_at = dead_at + interval '1 day' where id = any($1)",
    [earlier],
  )
  const id = await redrives.start({ origin: 'put-back' }, { ratePerSecond: 100 }, by)
  await carryAll(redrives)
  expect(await records.get(id)).toMatchObject({ state: 'done', matched: 25, redriven: 25 })
  const { items } = await records.portions(id, { limit: 1_000 })
  expect(items.flatMap(({ redriven }) => redriven)).toEqual([...ids.slice(12), ...earlier])
})

test('a letter that dies again is not taken by the same redrive', async () => {
  const { log, redrives, records } = at()
  const [first = ''] = await withDeadLetters(database, log, 'again', subjects(2))
  const id = await redrives.start({ origin: 'again' }, { ratePerSecond: 1 }, by)
  await redrives.carry()
  await database.query(
    `update oncekey.deliveries set state = 'dead', dead_at = clock_timestamp() where id = $1`,
    [first],
  )
  await database.query('update oncekey.redrives set next_at = clock_timestamp() where id = $1', [
    id,
  ])
  await redrives.carry()
  await database.query('update oncekey.redrives set next_at = clock_timestamp() where id = $1', [
    id,
  ])
  await carryAll(redrives)
  expect(await records.get(id)).toMatchObject({ state: 'done', matched: 2, redriven: 2 })
  expect((await log.deadLetters.get(first))?.redrives).toBe(1)
})

test('overlapping redrives, carried by many at once, take each letter once', async () => {
  const { log, redrives, records } = at()
  await withDeadLetters(database, log, 'overlapping', subjects(300))
  const started = await Promise.all(
    [1, 2, 3].map(() => redrives.start({ origin: 'overlapping' }, { ratePerSecond: 200 }, by)),
  )
  const pools = Array.from({ length: 8 }, () => at().redrives)
  await Promise.all(pools.map(carryAll))
  const ended = await Promise.all(started.map((id) => records.get(id)))
  expect(ended.map((each) => each?.state)).toEqual(['done', 'done', 'done'])
  expect(ended.reduce((sum, each) => sum + (each?.redriven ?? 0), 0)).toBe(300)
  const rows = await database.query<{ redrives: number; count: string }>(
    `select redrives, count(*) from oncekey.deliveries where consumer = 'overlapping' group by 1`,
  )
  expect(rows).toEqual([{ redrives: 1, count: '300' }])
})

test('a limit, ids, and a filter that matches few of many are kept to', async () => {
  const { log, redrives, records } = at()
  const ids = await withDeadLetters(database, log, 'filtered', subjects(12))
  const limited = await redrives.start({ origin: 'filtered' }, { ...fast, limit: 3 }, by)
  await carryAll(redrives)
  expect(await records.get(limited)).toMatchObject({ state: 'done', redriven: 3, limit: 3 })
  const named = await redrives.start({ ids: [ids[11] ?? '', ids[0] ?? ''] }, fast, by)
  await carryAll(redrives)
  expect(await records.get(named)).toMatchObject({ state: 'done', matched: 1, redriven: 1 })
  const one = await redrives.start({ origin: 'filtered', subject: 'subject-7' }, fast, by)
  await carryAll(redrives)
  expect(await records.get(one)).toMatchObject({ state: 'done', matched: 1, redriven: 1 })
})

test('redrives are listed, the newest first, by source and state, page by page', async () => {
  const { log, redrives, records } = at()
  await withDeadLetters(database, log, 'listed', subjects(1))
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) ids.unshift(await redrives.start({ origin: 'listed' }, fast, by))
  const first = await records.list({ source: 'consumers', state: 'running' }, { limit: 2 })
  expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2))
  const rest = await records.list({ state: 'running' }, { limit: 2, after: first.next ?? '' })
  expect(rest.items.map(({ id }) => id)).toEqual(ids.slice(2))
  expect((await records.list({ source: 'sagas' }, { limit: 2 })).items).toEqual([])
  await carryAll(redrives)
})

test('a redrive that ended long ago is forgotten by maintenance, and no other', async () => {
  const { log, redrives, records } = at()
  const ids: string[] = []
  for (let n = 0; n < 3; n += 1) ids.push(await redrives.start({ origin: 'nobody' }, fast, by))
  const [long = '', lately = '', running = ''] = ids
  await records.cancel(long, by)
  await records.cancel(lately, by)
  await database.query(
    "update oncekey.redrives set ended_at = ended_at - interval '31 days' where id = $1",
    [long],
  )
  await log.maintain()
  expect(await records.get(long)).toBeUndefined()
  expect((await records.get(lately))?.state).toBe('cancelled')
  expect((await records.get(running))?.state).toBe('running')
  await carryAll(redrives)
})

test('what cannot be carried out is refused at the start, with a sentence', async () => {
  const { redrives } = at()
  const refused = [
    redrives.start({ retired: true }, {}, by),
    redrives.start({}, { ratePerSecond: 0 }, by),
    redrives.start({}, { limit: 1.5 }, by),
    redrives.start({}, {}, { actor: '', note: 'why' }),
  ]
  for (const each of refused) await expect(each).rejects.toMatchObject({ code: 'options-invalid' })
})
