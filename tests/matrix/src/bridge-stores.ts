import type { AdapterSuiteStore } from '@oncekey/conformance'
import type { OutboxEvent } from '@oncekey/core'
import { migrate, postgresStore, purge } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { everyBridge as allBridges } from '../../../packages/postgres/test/bridges/driven/all.ts'
import type {
  Bridge,
  BridgeUnderTest,
} from '../../../packages/postgres/test/bridges/driven/bridge.ts'

/** The Postgres store through every library that has a bridge. */
export function everyBridge(): AdapterSuiteStore[] {
  return allBridges.map(onBridge)
}

function onBridge({ name, open }: BridgeUnderTest): AdapterSuiteStore {
  let database: Database
  let pool: Pool
  let bridge: Bridge
  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    pool = new Pool({ connectionString: database.url })
    pool.on('error', () => {})
    await pool.query('create table orders (id text primary key)')
    bridge = await open({ url: database.url, max: 20 })
    await migrate(bridge.client)
  })
  afterAll(async () => {
    await Promise.all([pool.end(), bridge.end()])
    await database.drop()
  })
  return {
    name: `Postgres, ${name}`,
    create: () => ({
      store: postgresStore({ client: bridge.client }),
      write: (tx, id) => bridge.insert(tx, id),
      async written(id, within) {
        if (within !== undefined) return (await bridge.count(within, id)) === 1
        return (await pool.query('select from orders where id = $1', [id])).rowCount === 1
      },
      async events() {
        const { rows } = await pool.query<OutboxEvent>(
          `select id, type, source, subject, ordering_key as "orderingKey", data::text, headers,
             occurred_at as "occurredAt"
           from oncekey.outbox order by seq`,
        )
        return rows
      },
      async expireResults() {
        await purge(bridge.client, { resultRetentionMs: 0, limit: 100_000 })
      },
    }),
  }
}
