import { randomUUID } from 'node:crypto'
import type { EventLog } from '@oncekey/core'
import { inbox, migrate, postgresLog, purge } from '@oncekey/postgres'
import { freshDatabase, type PostgresServer, startPostgres, waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused } from '../database/claims.ts'
import { sequencesOf } from '../database/documented-sequences.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'
import { readAll } from './read-all.ts'

let publisher: PostgresServer
let subscriber: PostgresServer
let copy: Pool
beforeAll(async () => {
  publisher = await startPostgres({ settings: { wal_level: 'logical' } })
  subscriber = await startPostgres()
})
afterAll(async () => {
  await copy?.end()
  await subscriber?.stop()
  await publisher?.stop()
})
// After the hook above, because hooks run in reverse order.
const database = testDatabase(() => publisher.url)

// A bug: the table `numbering` had no replica identity, so no relay could read in a restored
// database (55000).
test('a subscriber to all tables gets all that was written, and can take over', async () => {
  const pool = database.pool({ max: 6 })
  copy = new Pool({ connectionString: (await freshDatabase(subscriber.url)).url, max: 4 })
  await migrate(copy)
  await copy.query('create table orders (id text primary key)')
  // A subscriber is made with `pg_dump --schema-only`, which leaves these tables empty.
  await copy.query('truncate oncekey.migrations, oncekey.numbering')
  await copy.query(
    `create subscription everything connection '${database.url()}' publication everything`,
  )

  for (const mode of ['transaction', 'lease'] as const) await useEveryTable(pool, mode)
  await deliverAndRetire(postgresLog({ client: pool }) as EventLog<PoolClient>)
  await inbox({ client: pool, consumer: 'inbox' }).take(randomUUID(), async () => 'taken')
  await purge(pool, { resultRetentionMs: 0, keyRetentionMs: 0 })
  // Simulates a database that was restored from a dump.
  await pool.query(`update oncekey.numbering set system = 'another'`)
  await readAll(postgresLog({ client: pool }) as EventLog<PoolClient>, 'after-restore')

  await caughtUp(pool)
  expect(await contents(copy)).toEqual(await contents(pool))

  await copy.query('drop subscription everything')
  await copy.query(await sequencesOf('Switching to a logical subscriber'))
  await copy.query('create publication everything for all tables')
  for (const mode of ['transaction', 'lease'] as const) await useEveryTable(copy, mode)
  expect(await readAll(postgresLog({ client: copy }), 'taken-over')).not.toEqual([])
})

/** Claims, completions, refusals, releases, takeovers, an operator's acts and events. */
async function useEveryTable(pool: Pool, mode: 'transaction' | 'lease'): Promise<void> {
  const store = storeOn(pool, { mode })
  const act = { actor: 'maria', note: 'to see what is replicated' }
  const done = claimOf()
  const attempt = attemptOf(await store.begin(done))
  await (await attempt.transaction()).query('insert into orders values ($1)', [done.key])
  expect(await attempt.complete(kept('done', [eventOf()]))).toBe('stored')
  await attemptOf(await store.begin(claimOf())).complete(refused('no'))
  await attemptOf(await store.begin(claimOf())).release()
  if (mode === 'lease') {
    const left = claimOf()
    const leaving = attemptOf(await store.begin(left))
    expect(await leaving.renew(60_000)).toBe('held')
    await leaving.abandon()
    const taken = attemptOf(await store.begin(again(left)))
    expect(await taken.complete(kept('taken over'))).toBe('stored')
    const unknown = claimOf()
    await attemptOf(await store.begin(unknown)).abandon()
    expect(await store.keys.answer(unknown, kept('by hand').response, act)).toBe('done')
  }
  const [fingerprint] = done.fingerprints
  expect(await store.keys.forget({ ...done, fingerprint }, act)).toBe('done')
}

async function deliverAndRetire(log: EventLog<PoolClient>): Promise<void> {
  await log.append([eventOf(), eventOf()])
  await readAll(log, 'delivering')
  await log.retire('delivering')
}

async function caughtUp(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ position: string }>(
    'select pg_current_wal_lsn()::text as position',
  )
  await waitFor(
    async () => {
      const replicated = await pool.query<{ is_there: boolean }>(
        'select confirmed_flush_lsn >= $1::pg_lsn as is_there from pg_replication_slots',
        [rows[0]?.position],
      )
      const ready = await copy.query(`select from pg_subscription_rel where srsubstate <> 'r'`)
      return replicated.rows.every((slot) => slot.is_there) && ready.rowCount === 0
    },
    { what: 'the subscriber to have all of it', timeoutMs: 30_000 },
  )
}

/** Every row of every table that is not UNLOGGED. */
async function contents(pool: Pool): Promise<Record<string, string[]>> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'oncekey'::regnamespace
       and relkind = 'r' and relpersistence = 'p' order by relname`,
  )
  const all: Record<string, string[]> = {}
  for (const { name } of tables) {
    const { rows } = await pool.query<{ row: string }>(
      `select t::text as row from oncekey.${name} t`,
    )
    all[name] = rows.map(({ row }) => row).sort()
  }
  return all
}
