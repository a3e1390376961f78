import type { EventLog } from '@oncekey/core'
import { eraseEvent, postgresLog, transact } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const editing = { actor: 'maria@shop.example', note: 'the street of Erika was missing' }
const elsewhere = { ...editing, note: 'ticket 4712' }
const erasing = { actor: 'privacy@shop.example', note: 'request 4711 for deletion' }

/** An event, and a dead letter of it for the consumer `email`. */
async function deadEvent(name: string): Promise<{ event: string; letter: string }> {
  const pool = database.pool()
  const log = postgresLog({ client: pool }) as EventLog<never>
  await log.subscribe({ consumer: 'email', types: null, startAt: 'now' })
  await transact(pool, (_, emit) =>
    emit({ type: 'order.made', data: { name }, subject: name, orderingKey: '7' }),
  )
  const [row] = await database.query<{ event: string; letter: string }>(
    `with dead as (
       insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, subject,
           ordering_key, data, headers, occurred_at, state, reason, attempts, starts, due_at,
           dead_at, error_name, error_message)
         select 'email', o.slot, o.seq, o.id::text, o.type, o.source, o.subject, o.ordering_key,
             o.data, o.headers, o.occurred_at, 'dead', 'permanent', 1, 1, now(), now(), 'Error',
             'no street for ' || o.subject
           from oncekey.outbox o where o.subject = $1
         returning id, event_id
     )
     select dead.event_id as event, dead.id::text as letter from dead`,
    [name],
  )
  return row as { event: string; letter: string }
}

test('an event is erased with what took its place, also from the audit', async () => {
  const pool = database.pool()
  const { replace } = postgresLog({ client: pool }).deadLetters
  const { event, letter } = await deadEvent('Erika')
  const other = await deadEvent('Otto')
  const edited = await replace?.(letter, '{"name":"Erika","street":"Lindenweg 1"}', editing)
  if (edited?.outcome !== 'replaced') throw new Error('It is dead.')
  await database.query(
    "update oncekey.deliveries set state = 'dead', dead_at = now() where id = $1",
    [edited.id],
  )
  const again = await replace?.(edited.id, '{"name":"Erika","street":"Lindenweg 11"}', editing)
  if (again?.outcome !== 'replaced') throw new Error('It is dead.')
  await replace?.(other.letter, '{"name":"Otto","street":"Am Berg"}', elsewhere)

  expect(await eraseEvent(pool, event.toUpperCase(), erasing)).toEqual({ events: 3, entries: 2 })

  for (const table of ['outbox', 'deliveries', 'delivery_attempts', 'operations']) {
    const told = await database.query(
      `select from oncekey.${table} t where t::text ~ 'Erika|Lindenweg'`,
    )
    expect(told, table).toEqual([])
  }
  const { items } = await postgresLog({ client: pool }).operations.list({}, { limit: 10 })
  expect(items[0]).toMatchObject({
    ...erasing,
    act: 'events.erase',
    target: JSON.stringify(['event', event]),
    detail: { events: [event, edited.eventId, again.eventId], entries: 2 },
  })
  expect(items[1]).toMatchObject({ ...elsewhere, detail: { eventId: other.event } })
  expect(items[1]?.detail.changes).toHaveLength(1)
  expect(items.slice(2)).toMatchObject(
    [again, edited].map(({ eventId }) => ({
      actor: editing.actor,
      act: 'dead-letters.edit-and-redrive',
      note: '',
      detail: { newEventId: eventId, erasedBy: items[0]?.id },
    })),
  )
  expect(items.slice(2).some(({ detail }) => 'changes' in detail)).toBe(false)
})

// A bug: attempts were locked before their delivery. A relay that had the delivery, and deletes it
// with its attempts when it is done, got a deadlock with the erasing.
test('an event is erased while a relay settles its delivery', async () => {
  const pool = database.pool()
  const { event, letter } = await deadEvent('Petra')
  await database.query(
    `insert into oncekey.delivery_attempts
       values ($1, 1, now(), 1, 'Error', 'Petra', null, 'at Petra', 'x')`,
    [letter],
  )
  const relay = await database.pool({ max: 1 }).connect()
  await relay.query('begin')
  const { rows } = await relay.query(
    'select pg_backend_pid() as pid from oncekey.deliveries where id = $1 for update',
    [letter],
  )
  const erased = eraseEvent(pool, event, erasing)
  await expect
    .poll(() =>
      database.query('select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))', [
        rows[0].pid,
      ]),
    )
    .toHaveLength(1)
  const settled = relay.query('delete from oncekey.deliveries where id = $1', [letter])
  const both = Promise.all([erased, settled.then(() => relay.query('commit'))])
  await expect(both).resolves.toMatchObject([{ events: 1, entries: 0 }, {}])
  relay.release()
})

test('an event can be erased again, with what was filed of it in between', async () => {
  const pool = database.pool()
  const { event, letter } = await deadEvent('Nina')
  expect(await eraseEvent(pool, event, erasing)).toEqual({ events: 1, entries: 0 })
  await database.query(`update oncekey.deliveries set data = '{"name":"Nina"}' where id = $1`, [
    letter,
  ])
  expect(await eraseEvent(pool, event, erasing)).toEqual({ events: 1, entries: 0 })
  const [row] = await database.query('select data from oncekey.deliveries where id = $1', [letter])
  expect(row).toEqual({ data: null })
})

test('an entry of an edit is changed in no other way', async () => {
  const pool = database.pool()
  const { event, letter } = await deadEvent('Hanna')
  const edited = await postgresLog({ client: pool }).deadLetters.replace?.(letter, '{}', editing)
  expect(edited).toMatchObject({ outcome: 'replaced' })
  const before = await database.query('select * from oncekey.operations order by id')
  for (const change of [
    `note = ''`,
    `note = '', detail = detail - 'changes'`,
    `note = '', detail = detail - 'changes' || '{"erasedBy": "0"}'`,
    `note = '', actor = 'nobody', detail = detail - 'changes'`,
  ]) {
    await expect(
      pool.query(`update oncekey.operations set ${change} where detail->>'eventId' = $1`, [event]),
    ).rejects.toThrow('operations are only ever added')
  }
  expect(await database.query('select * from oncekey.operations order by id')).toEqual(before)
})

test('an id that is none is refused', async () => {
  await expect(eraseEvent(database.pool(), 'order-17', erasing)).rejects.toMatchObject({
    code: 'options-invalid',
  })
})
