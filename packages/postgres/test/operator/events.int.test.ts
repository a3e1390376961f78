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

// Another database: the events of the tests above are not in the way of the numbers.
const crowded = testDatabase()

test('an event is found up to 100,000 numbers away from where its time says', async () => {
  const ids = [1, 2, 3].map((n) => `0190b5a0-0000-7000-8000-00000000000${n}`)
  await crowded.query(
    `insert into oncekey.outbox
         (seq, slot, id, type, source, ordering_key, data, headers, occurred_at)
       overriding system value
       select g, g % 64, case g when 10000 then $1::uuid when 99000 then $2 when 130000 then $3
             else gen_random_uuid() end, 'order.placed', '/', g::text, '1', '{}', now()
         from generate_series(1, 140000) g`,
    ids,
  )
  await crowded.query('analyze oncekey.outbox')
  const events = postgresEvents({ client: crowded.pool() })
  const found = await Promise.all(ids.map((id) => events.get(id)))
  expect(found.map((event) => event?.seq)).toEqual(['10000', '99000', undefined])
})
