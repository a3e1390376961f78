import { postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

// A bug: the twenty redrives with the earliest times came first, and one with a time of a clock
// that was put back since was not among them, although it was due.
test('a redrive that waited while the clock was put back comes before many that are not due', async () => {
  const { redrives } = postgresLog({ client: database.pool() }).deadLetters
  if (redrives === undefined) throw new Error('The log of Postgres keeps redrives.')
  await database.query("insert into oncekey.consumers (name) values ('email')")
  await database.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key,
        data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
      select 'email', 0, g, g::text, 't', '/', g::text, '1', '{}', now(), 'dead', 'permanent', 1, 1,
          now(), now() - interval '1 day'
        from generate_series(1, 3) g`,
  )
  const waiting = await redrives.start({}, { ratePerSecond: 10 })
  for (let others = 0; others < 25; others += 1) await redrives.start({}, { ratePerSecond: 10 })
  await database.query(
    `update oncekey.redrives set next_at = clock_timestamp()
      + case when id = $1 then interval '1 hour' else interval '9 seconds' end`,
    [waiting],
  )
  expect(await redrives.carry()).toMatchObject({ redriven: 1 })
  expect(await redrives.get(waiting)).toMatchObject({ redriven: 1 })
})
