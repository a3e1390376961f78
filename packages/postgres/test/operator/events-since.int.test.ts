import { type EventPlace, postgresEvents } from '@oncekey/postgres'
import type { PoolClient } from 'pg'
import { afterEach, expect, test } from 'vitest'
import { eventsJson } from '../../src/commit/append-events.ts'
import { eventOf } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const open: PoolClient[] = []
afterEach(async () => {
  for (const client of open.splice(0)) {
    await client.query('rollback')
    client.release()
  }
})

/** A transaction that already has its id. */
async function writing(): Promise<PoolClient> {
  const client = await database.pool().connect()
  open.push(client)
  await client.query('begin')
  await client.query('select pg_current_xact_id()')
  return client
}

async function append(client: PoolClient, subject: string): Promise<void> {
  await client.query('select oncekey.append_events($1)', [eventsJson([eventOf({ subject })])])
}

function following() {
  const events = postgresEvents({ client: database.pool() })
  let place: EventPlace
  return {
    async begin() {
      place = await events.place()
    },
    async next() {
      const since = await events.since(place)
      place = since.place
      return since.events.map(({ subject }) => subject)
    },
  }
}

// A bug: PostgreSQL's own snapshot ends at the last transaction that has completed, and does not
// name what is writing above that. Its events have numbers below others', and were skipped.
test.each(['the place', 'an earlier page'])(
  'an event is followed that was open at %s, above the last completed id',
  async (at) => {
    const log = following()
    if (at === 'an earlier page') await log.begin()
    const [first, second] = [await writing(), await writing()]
    await append(second, 'below')
    await append(first, 'above')
    await first.query('commit')
    if (at === 'the place') await log.begin()
    else expect(await log.next()).toEqual(['above'])
    await second.query('commit')
    expect(await log.next()).toEqual(['below'])
    expect(await log.next()).toEqual([])
  },
)

test('an event is followed although very many subtransactions are in progress', async () => {
  const log = following()
  const writer = await writing()
  await append(writer, 'with many')
  await writer.query(
    `do $$ begin
       for n in 1..2000 loop
         begin
           insert into orders values ('sub-' || n);
         exception when unique_violation then null;
         end;
       end loop;
     end $$`,
  )
  await log.begin()
  expect(await log.next()).toEqual([])
  await writer.query('commit')
  expect(await log.next()).toEqual(['with many'])
})
