import type { AdapterSuiteStore } from '@oncekey/conformance'
import { migrate } from '@oncekey/postgres'
import { type Database, freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { afterAll, beforeAll, inject } from 'vitest'
import { everyBridge as allBridges } from '../../../packages/postgres/test/bridges/driven/all.ts'
import type {
  Bridge,
  BridgeUnderTest,
} from '../../../packages/postgres/test/bridges/driven/bridge.ts'
import { bridgeFixture } from './postgres-fixture.ts'

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
    create: () => bridgeFixture(bridge, pool),
  }
}
