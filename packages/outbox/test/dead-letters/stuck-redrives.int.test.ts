import { deadLetters } from '@oncekey/outbox'
import { postgresLog } from '@oncekey/postgres'
import { startProxy } from '@oncekey/test-servers'
import { afterEach, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import { withDeadLetters } from './letters.ts'

const database = logDatabase()
afterEach(() => database.query('delete from oncekey.redrives'))

/** More redrives than are carried at once, all of them due before any other. */
async function stuck(what: { kind: string; filter: string }): Promise<void> {
  await database.query(
    `insert into oncekey.redrives (source, kind, filter, rate, actor, note, matched, started_at,
        next_at)
      select 'consumers', $1, $2::json, 1000, 'maria', '', 1, now() - interval '1 hour',
          now() - interval '1 hour'
        from generate_series(1, 25)`,
    [what.kind, what.filter],
  )
}

// A bug: each call carried the twenty that were due first, whatever had become of them before.
test.each([
  ['whose portions fail', { kind: 'dead-letters', filter: '{"deadBefore":"never"}' }],
  ['that a newer release has started', { kind: 'window', filter: '{}' }],
])('redrives %s do not keep the others waiting', async (_, what) => {
  const log = postgresLog({ client: database.pool() })
  const { redrives } = log.deadLetters
  const origin = what.kind
  await withDeadLetters(database, log, origin, ['one', 'two', 'three'])
  await stuck(what)
  const id = (await redrives?.start({ origin }, { ratePerSecond: 1_000 })) ?? ''
  for (let times = 0; times < 3; times++) await redrives?.carry().catch(() => {})
  expect(await redrives?.get(id)).toMatchObject({ redriven: 3 })
})

// A bug: whoever waited for a redrive got the error of another one's portion, and no id, though the
// redrive was on record and went on.
test('who waits for a redrive does not get the failures of others', async () => {
  const log = postgresLog({ client: database.pool() })
  await withDeadLetters(database, log, 'mine', ['one', 'two', 'three'])
  await stuck({ kind: 'dead-letters', filter: '{"deadBefore":"never"}' })
  const { redriven } = await deadLetters(log.deadLetters).redrive({ origin: 'mine' })
  expect(redriven).toHaveLength(3)
})

test('a portion that failed is tried again', async () => {
  const log = postgresLog({ client: database.pool() })
  const { redrives } = log.deadLetters
  await withDeadLetters(database, log, 'again', ['one'])
  const id = (await redrives?.start({ origin: 'again' }, { ratePerSecond: 1_000 })) ?? ''
  const [{ filter } = { filter: '' }] = await database.query<{ filter: string }>(
    'select filter::text as filter from oncekey.redrives where id = $1',
    [id],
  )
  const given = 'update oncekey.redrives set filter = $2::json where id = $1'
  await database.query(given, [id, '{"deadBefore":"never"}'])
  await expect(redrives?.carry()).rejects.toThrow()
  await database.query(given, [id, filter])
  // Not at once: others come first.
  expect(await redrives?.carry()).toMatchObject({ redriven: 0 })
  await database.query('update oncekey.redrives set next_at = now() where id = $1', [id])
  expect(await redrives?.carry()).toMatchObject({ redriven: 1 })
})

// A bug: a portion whose reply was lost had set when the next is due, and that was brought forward
// to the time for which a portion that failed is put off.
test('a portion whose reply is lost makes the next come no earlier than its rate', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  const connectionString = proxy.through(database.url())
  const direct = postgresLog({ client: database.pool() })
  const log = postgresLog({ client: database.pool({ connectionString }) })
  try {
    await withDeadLetters(database, direct, 'slow', ['one', 'two'])
    const { redrives } = log.deadLetters
    const id = (await redrives?.start({ origin: 'slow' }, { ratePerSecond: 0.01 })) ?? ''
    const lost = proxy.dropAfter('picked as materialized')
    await expect(redrives?.carry()).rejects.toThrow()
    await lost
    expect(await redrives?.get(id)).toMatchObject({ redriven: 1 })
    const [row] = await database.query<{ seconds: number }>(
      `select extract(epoch from next_at - now())::float8 as seconds
        from oncekey.redrives where id = $1`,
      [id],
    )
    expect(row?.seconds).toBeGreaterThan(30)
  } finally {
    await proxy.stop()
  }
})

// A bug: while the database was away, each of twenty portions was asked for, and each putting off.
test('when a redrive cannot be put off either, the others are not tried', async () => {
  const log = postgresLog({ client: database.pool() })
  await stuck({ kind: 'dead-letters', filter: '{"deadBefore":"never"}' })
  await database.query('create sequence oncekey.put_offs')
  await database.query(`
    create function oncekey.refuse() returns trigger language plpgsql as $$
      begin
        perform nextval('oncekey.put_offs');
        raise exception 'nobody may put off here';
      end $$`)
  await database.query(`create trigger refused before update on oncekey.redrives
    for each row execute function oncekey.refuse()`)
  try {
    await expect(log.deadLetters.redrives?.carry()).rejects.toThrow()
    expect(await database.query('select last_value::int as tried from oncekey.put_offs')).toEqual([
      { tried: 1 },
    ])
  } finally {
    await database.query('drop function oncekey.refuse() cascade')
    await database.query('drop sequence oncekey.put_offs')
  }
})
