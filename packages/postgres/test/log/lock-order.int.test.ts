import type { EventLog } from '@oncekey/core'
import { postgresLog } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { expect, onTestFinished, test } from 'vitest'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const by = { actor: 'maria@shop.example', note: 'it is too late' }

/** Files two dead letters. The first died last, and has the higher event id. */
async function twoLetters(log: EventLog<never>, consumer: string): Promise<string[]> {
  await log.subscribe({ consumer, types: null, startAt: 'now' })
  const ids: string[] = []
  for (const [event, minutes] of [
    ['b', 1],
    ['a', 2],
  ]) {
    const [row] = await database.query<{ id: string }>(
      `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key,
           data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
         values ($1, 0, 1, $2, 't', '/', 'k', '1', '{}', now(), 'dead', 'permanent', 1, 1, now(),
           now() - $3::integer * interval '1 minute')
         returning id::text as id`,
      [consumer, event, minutes],
    )
    ids.push(row?.id ?? '')
  }
  // The first one lies behind the second. Among so many others two are found by their ids.
  await database.query(
    `update oncekey.deliveries set dead_at = dead_at + interval '1 second' where id = $1`,
    [ids[0]],
  )
  await database.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, ordering_key, data,
         headers, occurred_at, state, reason, attempts, starts, due_at, dead_at)
       select $1 || '-too', 0, 1, g::text, 't', '/', 'k', '1', '{}', now(), 'dead', 'permanent', 1,
           1, now(), now()
         from generate_series(1, 3000) g`,
    [consumer],
  )
  await database.query('analyze oncekey.deliveries')
  return ids
}

/**
 * Runs two acts on these two letters while both are locked. They are let go one after the other: an
 * act that waits for the second is then blocked by what the other has locked first.
 */
async function bothWhile<A, B>(
  ids: readonly string[],
  one: () => Promise<A>,
  other: () => Promise<B>,
) {
  const locks = await Promise.all(ids.map((id) => lockOn(id)))
  const acts = Promise.all([one(), other()])
  // So that its rejection is handled if this fails before.
  acts.catch(() => {})
  for (const letGo of locks) {
    await waitFor(
      async () => {
        const blocked = await database.query(
          `select from pg_stat_activity
            where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`,
        )
        return blocked.length === 2
      },
      { what: 'both to wait' },
    )
    await letGo()
  }
  return await acts
}

async function lockOn(id: string): Promise<() => Promise<void>> {
  const client = await database.pool().connect()
  await client.query('begin')
  await client.query('select from oncekey.deliveries where id = $1 for update', [id])
  onTestFinished(() => client.release(true))
  return async () => void (await client.query('commit'))
}

// A bug: each act locked letters in an order of its own, and two that had the same letters could
// deadlock: one of them was undone.
test('a consumer is retired while its letters are discarded', async () => {
  const log = postgresLog({ client: database.pool() }) as EventLog<never>
  const ids = await twoLetters(log, 'retired')
  const [retired, outcomes] = await bothWhile(
    ids,
    () => log.retire('retired', { remaining: 'keep' }),
    () => log.deadLetters.discard(ids, 'too late', by),
  )
  expect(outcomes).toEqual(ids.map((id) => ({ id, outcome: 'discarded' })))
  expect([0, 2]).toContain(retired.kept)
})

test('a redrive and a discard of the same letters wait for each other', async () => {
  const log = postgresLog({ client: database.pool() }) as EventLog<never>
  const ids = await twoLetters(log, 'redriven')
  const { redrives } = log.deadLetters
  await redrives?.start({ origin: 'redriven' }, { ratePerSecond: 1_000 }, by)
  const [carried, outcomes] = await bothWhile(
    ids,
    async () => redrives?.carry(),
    () => log.deadLetters.discard(ids, 'too late', by),
  )
  const outcome = carried?.redriven === 2 ? 'retrying' : 'discarded'
  expect(outcomes.map((each) => each.outcome)).toEqual([outcome, outcome])
})
