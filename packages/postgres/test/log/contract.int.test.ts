import { PGlite, type Transaction } from '@electric-sql/pglite'
import { describeLog, type LogFixture } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { append, migrate, postgresLog } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { findSystemPostgres, systemPostgresUrl } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { type TestDatabase, testDatabase } from '../database/test-database.ts'

describeLog({ name: 'postgres', create: fixtures(testDatabase(), {}) })
describeLog({ name: 'postgres, prepared', create: fixtures(testDatabase(), { prepare: true }) })
describeLog({
  name: 'postgres, in sessions set to serializable',
  create: fixtures(testDatabase(), {}, '-c default_transaction_isolation=serializable'),
})

const system = findSystemPostgres() === undefined ? undefined : await systemPostgresUrl()
describe.skipIf(system === undefined)('PostgreSQL of this system', () => {
  const database = testDatabase(() => system ?? inject('postgresUrl'))
  describeLog({ name: 'postgres of the system', create: fixtures(database, {}) })
})

describe('pglite', () => {
  let db: PGlite
  beforeAll(async () => {
    db = new PGlite()
    await migrate(fromPglite(db))
    await db.query('create table orders (id text primary key)')
  })
  afterAll(() => db.close())

  describeLog<Transaction>({
    name: 'pglite',
    create: () => ({
      log: postgresLog({ client: fromPglite(db) }),
      write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
      advance: async (ms) => {
        for (const text of clockMovedOn(ms)) await db.query(text)
      },
      written: async (id) =>
        (await db.query('select from orders where id = $1', [id])).rows.length === 1,
      anotherLife: async () => void (await db.query(NO_LIFE)),
    }),
  })
})

function fixtures(
  database: TestDatabase,
  options: { prepare?: boolean },
  session?: string,
): () => LogFixture<PoolClient> {
  const pools: Pool[] = []
  // Two pools, as in two processes, shared by all tests because connecting takes time.
  const pool = (index: number): Pool => {
    pools[index] ??= database.pool({ max: 10, ...(session && { options: session }) })
    return pools[index]
  }
  return () => {
    const writers: PoolClient[] = []
    return {
      log: postgresLog({ client: pool(0), ...options }),
      another: () => postgresLog({ client: pool(1), ...options }),
      async open(events) {
        const writer = await pool(1).connect()
        writers.push(writer)
        // At SERIALIZABLE it might be refused, as any transaction beside one that reads.
        await writer.query('begin isolation level read committed')
        await append(writer, events.map(emittedOf)).then((written) =>
          rename(writer, written, events),
        )
        const end = (how: string) => async () => {
          await writer.query(how)
          writer.release()
          writers.splice(writers.indexOf(writer), 1)
        }
        return { commit: end('commit'), rollback: end('rollback') }
      },
      advance: async (ms) => {
        for (const text of clockMovedOn(ms)) await database.query(text)
      },
      write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
      written: (id) => database.hasOrder(id),
      anotherLife: async () => void (await database.query(NO_LIFE)),
      close() {
        for (const writer of writers) writer.release(true)
      },
    }
  }
}

/** A crash empties this table, and the next relay that leases slots names another life. */
const NO_LIFE = 'delete from oncekey.life'

/** Lets time pass by moving every stored time back. */
function clockMovedOn(ms: number): string[] {
  const earlier = `- interval '${ms} milliseconds'`
  return [
    `update oncekey.cursors set lease_until = lease_until ${earlier}`,
    `update oncekey.outbox set appended_at = appended_at ${earlier}`,
    `update oncekey.processed_events set processed_at = processed_at ${earlier}`,
    `update oncekey.relays set until = until ${earlier}`,
    `update oncekey.deliveries set due_at = due_at ${earlier}, dead_at = dead_at ${earlier}`,
    // A redrive compares its times with those of the letters, so both are moved.
    `update oncekey.redrives set started_at = started_at ${earlier}, next_at = next_at ${earlier},
      cursor_at = cursor_at ${earlier}`,
    `update oncekey.consumers c set subscriptions = (
        select json_build_object('version', s->'version', 'lists', (
            select json_agg(json_build_object('types', l->'types', 'left', l->'left',
                'since', (l->>'since')::bigint - ${ms}, 'seenAt', (l->>'seenAt')::bigint - ${ms},
                'relays', (select coalesce(json_object_agg(key, value::bigint - ${ms}), '{}')
                  from json_each_text(l->'relays'))))
              from json_array_elements(s->'lists') l))::text
          from (select c.subscriptions::json as s) x)
      where c.subscriptions is not null`,
  ]
}

function emittedOf({ type, source, subject, orderingKey, data }: OutboxEvent) {
  return {
    type,
    source,
    ...(subject === null ? {} : { subject }),
    orderingKey,
    data: JSON.parse(data),
  }
}

/** Maps the ids that the suite chooses to UUIDs. */
async function rename(
  writer: PoolClient,
  written: readonly OutboxEvent[],
  events: readonly OutboxEvent[],
): Promise<void> {
  for (const [at, { id }] of written.entries()) {
    await writer.query('update oncekey.outbox set id = $1 where id = $2', [events[at]?.id, id])
  }
}
