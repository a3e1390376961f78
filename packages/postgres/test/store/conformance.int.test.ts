import { describeStore, type StoreFixture } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { type Isolation, purge } from '@oncekey/postgres'
import { findSystemPostgres, systemPostgresUrl } from '@oncekey/test-servers'
import type { Pool, PoolClient } from 'pg'
import { describe, inject } from 'vitest'
import { storeOn, type TestDatabase, testDatabase, wires } from '../database/test-database.ts'

for (const { wire, pipeline, prepare } of wires) {
  const create = fixtures(testDatabase(), { pipeline, prepare })
  describeStore({ name: `postgres, ${wire}`, modelRuns: 30, create })
}

for (const isolation of ['repeatable read', 'serializable'] as const) {
  const create = fixtures(testDatabase(), { isolation })
  describeStore({ name: `postgres, ${isolation}`, modelRuns: 30, create })
}

const system = findSystemPostgres() === undefined ? undefined : await systemPostgresUrl()
describe.skipIf(system === undefined)('PostgreSQL of this system', () => {
  const create = fixtures(
    testDatabase(() => system ?? inject('postgresUrl')),
    {},
  )
  describeStore({ name: 'postgres of the system', modelRuns: 30, create })
})

function fixtures(
  database: TestDatabase,
  options: { pipeline?: boolean; prepare?: boolean; isolation?: Isolation },
): () => StoreFixture<PoolClient> {
  const { pipeline = false, ...rest } = options
  const pools: Pool[] = []
  let other: ReturnType<typeof storeOn> | undefined
  // Two pools, as in two processes, shared by all tests because connecting takes time.
  const pool = (index: number): Pool => {
    pools[index] ??= database.pool({ max: 20, pipeline })
    return pools[index]
  }

  return () => ({
    store: storeOn(pool(0), rest),
    another: () => storeOn(pool(1), rest),
    otherMode: () => (other ??= storeOn(pool(1), { ...rest, mode: 'lease' })),
    write: (tx, id) => tx.query('insert into orders values ($1)', [id]),
    fail: (tx) => tx.query('select 1 / 0').catch(() => {}),
    async written(id, within) {
      const text = 'select id from orders where id = $1'
      const rows = within ? (await within.query(text, [id])).rows : await database.query(text, [id])
      return rows.length === 1
    },
    events: () =>
      database.query<OutboxEvent>(
        `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
           occurred_at as "occurredAt"
         from oncekey.outbox order by seq`,
      ),
    async expireResults() {
      await purge(pool(0), { resultRetentionMs: 0, limit: 100_000 })
    },
    // No expireKeys, because a record is valid until it is purged, however old it is.
  })
}
