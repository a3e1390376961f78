import { postgresEvents, postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

test('an event says what each consumer that takes its type has made of it', async () => {
  const client = database.pool()
  const [log, events] = [postgresLog({ client }), postgresEvents({ client })]
  const event = eventOf({ type: 'order.placed' })
  for (const [consumer, types] of [
    ['behind', null],
    ['dead', ['order.*']],
    ['elsewhere', ['user.*']],
  ] as const) {
    await log.subscribe({ consumer, types, startAt: 'beginning' })
  }
  await log.append([event])
  await log.subscribe({ consumer: 'newcomer', types: null, startAt: 'now' })
  await database.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
         headers, occurred_at, state, reason, attempts, starts, due_at, dead_at, error_name, error_message)
       select 'dead', o.slot, o.seq, o.id::text, o.type, '/', '1', '1', '{}', now(), 'dead', 'permanent',
           3, 3, now(), now(), 'Error', 'no'
         from oncekey.outbox o where o.id = $1`,
    [event.id],
  )
  const found = await events.get(event.id)
  if (found === undefined) throw new Error('the event is not there')
  const none = { delivery: null, attempts: null, error: null }
  expect(await events.deliveries(found)).toEqual([
    { consumer: 'behind', state: 'waiting', ...none },
    {
      consumer: 'dead',
      state: 'dead',
      delivery: expect.any(String),
      attempts: 3,
      error: { name: 'Error', message: 'no' },
    },
    { consumer: 'newcomer', state: 'passed', ...none },
  ])
})

test('what a consumer of the same name left when it was retired is not of this one', async () => {
  const client = database.pool()
  const [log, events] = [postgresLog({ client }), postgresEvents({ client })]
  const event = eventOf({ type: 'order.placed' })
  const twice = { consumer: 'twice', types: null, startAt: 'now' } as const
  await log.subscribe(twice)
  await log.append([event])
  await database.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
         headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
       select 'twice', o.slot, o.seq, o.id::text, o.type, '/', '1', '1', '{}', now(), 'dead',
           'permanent', 3, 3, now(), now()
         from oncekey.outbox o where o.id = $1`,
    [event.id],
  )
  await database.query("select oncekey.retire('twice', 'keep', 'renamed')")
  await postgresLog({ client }).subscribe(twice)
  const found = await events.get(event.id)
  if (found === undefined) throw new Error('the event is not there')
  const ofTwice = (await events.deliveries(found)).filter(({ consumer }) => consumer === 'twice')
  expect(ofTwice).toEqual([
    { consumer: 'twice', state: 'passed', delivery: null, attempts: null, error: null },
  ])
})
