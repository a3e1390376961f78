import { PGlite } from '@electric-sql/pglite'
import type { EventLog } from '@oncekey/core'
import { migrate, postgresConsumers, postgresLog, postgresRedrives } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { expect, test } from 'vitest'

const by = { actor: 'maria@shop.example', note: 'ticket 4711' }

test('redrives, edited letters, pauses and views work on PGlite', async () => {
  const db = await PGlite.create()
  const client = fromPglite(db)
  await migrate(client)
  const log = postgresLog({ client }) as EventLog<never>
  await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
  await db.exec(`
    insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
        headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
      select 'email', 0, g, g::text, 't', '/', g::text, '{"n":1}', '{}', now(), 'dead', 'permanent',
          1, 1, now(), now()
        from generate_series(1, 12) g`)
  const { redrives, replace } = log.deadLetters
  if (redrives === undefined || replace === undefined) throw new Error('Postgres has both.')
  const { rows: letters } = await db.query<{ id: string }>(
    'select id::text from oncekey.deliveries order by seq desc limit 1',
  )
  expect(letters).toHaveLength(1)
  expect(await replace(letters[0]?.id ?? '', '{"n":2}', by)).toMatchObject({ outcome: 'replaced' })
  const id = await redrives.start({ origin: 'email' }, { ratePerSecond: 50 }, by)
  while ((await redrives.carry()).nextInMs !== null);
  expect(await postgresRedrives({ client }).get(id)).toMatchObject({
    state: 'done',
    matched: 11,
    redriven: 11,
  })
  const consumers = postgresConsumers({ client })
  expect(await consumers.pause('email', by)).toBe('paused')
  expect(await log.control.paused(['email', 'other'])).toEqual(['email'])
  expect((await consumers.list())[0]?.pause?.by).toBe(by.actor)
  expect(await consumers.resume('email', by)).toBe('resumed')
  const { rows } = await db.query<{ act: string }>('select act from oncekey.operations order by id')
  expect(rows.map(({ act }) => act)).toEqual([
    'dead-letters.edit-and-redrive',
    'redrives.start',
    'consumers.pause',
    'consumers.resume',
  ])
  for (const view of ['unknown_keys', 'dead_letters', 'consumer_lag']) {
    await db.query(`select * from oncekey.${view}`)
  }
  await db.close()
})

test('a redrive of any rate is carried, and one that always fails holds up no other', async () => {
  const db = await PGlite.create()
  const client = fromPglite(db)
  await migrate(client)
  const log = postgresLog({ client }) as EventLog<never>
  await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
  await db.exec(`
    insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
        headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
      select 'email', 0, g, g::text, 't' || g % 4, '/', g::text, '{"n":1}', '{}', now(), 'dead',
          'permanent', 1, 1, now(), now()
        from generate_series(1, 12) g`)
  const { redrives } = log.deadLetters
  if (redrives === undefined) throw new Error('Postgres has them.')
  const broken = await redrives.start({ type: 't0' }, { ratePerSecond: 50 }, by)
  const fastest = await redrives.start({ type: 't1' }, { ratePerSecond: Number.MAX_VALUE }, by)
  const slowest = await redrives.start({ type: 't2' }, { ratePerSecond: Number.MIN_VALUE }, by)
  const plain = await redrives.start({ type: 't3' }, { ratePerSecond: 50 }, by)
  // A portion of this redrive always fails, and this redrive is always the first that is due.
  await db.query(
    `update oncekey.redrives set next_at = now() - interval '1 hour', filter = '{"ids": 1}' where id = $1`,
    [broken],
  )
  for (let at = 0; at < 5; at += 1) await redrives.carry().catch(() => {})
  expect(await redrives.get(plain)).toMatchObject({ state: 'done', redriven: 3 })
  expect(await redrives.get(fastest)).toMatchObject({ state: 'done', redriven: 3 })
  expect(await redrives.get(slowest)).toMatchObject({ state: 'running', redriven: 1 })
  expect(await redrives.get(broken)).toMatchObject({ state: 'running', redriven: 0 })
  // It has been put off. If there is nothing else to carry once it is due, its failure is thrown.
  await db.query(`update oncekey.redrives set next_at = now() - interval '1 hour' where id = $1`, [
    broken,
  ])
  await expect(redrives.carry()).rejects.toThrow()
  await db.close()
})

test('an attempt on a letter that was edited and redriven comes too late', async () => {
  const db = await PGlite.create()
  const client = fromPglite(db)
  await migrate(client)
  const log = postgresLog({ client }) as EventLog<never>
  await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
  await db.exec(`
    insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
        headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
      values ('email', 0, 1, 'wrong', 't', '/', '1', '{"n":1}', '{}', now(), 'dead', 'permanent', 1,
        1, now(), now())`)
  const { rows } = await db.query<{ id: string }>('select id::text from oncekey.deliveries')
  const replaced = await log.deadLetters.replace?.(rows[0]?.id ?? '', '{"n":2}', by)
  if (replaced?.outcome !== 'replaced') throw new Error(replaced?.outcome)
  // The position of a process that has been suspended since before the letter was dead, and has
  // lost its slot meanwhile.
  const eventIds = ['wrong', replaced.eventId]
  const intake = await log.takeIn({ consumer: 'email', eventIds, timeoutMs: 5_000 })
  expect([...intake.fresh]).toEqual([replaced.eventId])
  await intake.rollback()
  await db.close()
})
