import { postgresLog } from '@oncekey/postgres'
import { expect, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

// A bug: each query sorted all dead letters, which took seconds and gigabytes of temporary files.
test('statistics of 200,000 dead letters count up to 100,000 and group the newest 5,000', async () => {
  await database.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
         headers, occurred_at, state, reason, attempts, starts, due_at, dead_at, error_name,
         error_message, fingerprint)
       select 'email', g % 64, g, g::text, 't', '/', g::text, '1', '{}', now(), 'dead', 'permanent', 1, 1,
           now(), now() - (200000 - g) * interval '1 millisecond', 'Error', 'no',
           case when g <= 195000 then 'old' else 'new' end
         from generate_series(1, 200000) g`,
  )
  const log = postgresLog({ client: database.pool() })
  const stats = await log.deadLetters.stats()
  expect(stats.depth).toBe(100_000)
  expect(stats.arrivedPerMinute).toBeCloseTo(100_000 / 60, 5)
  expect(stats.groups.map(({ fingerprint, count }) => [fingerprint, count])).toEqual([
    ['new', 5_000],
  ])
  expect(stats.oldestAgeMs).toBeGreaterThan(199_000)
})
