import { postgresStore } from '@oncekey/postgres'
import { startProxy } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { attemptOf, claimOf, kept } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { everyBridge } from './driven/all.ts'

/**
 * Round trips of a claim and a completion, including BEGIN and COMMIT. A bare transaction has two:
 * BEGIN and COMMIT. Kysely awaits every statement; postgres.js sends BEGIN before it gives out a
 * transaction.
 */
const roundTrips: Record<string, number> = {
  'Drizzle on pg': 2,
  'Drizzle on postgres.js': 3,
  Knex: 2,
  Kysely: 4,
  MikroORM: 2,
  'pg-promise': 2,
  'postgres.js': 3,
  Prisma: 2,
  Sequelize: 2,
  Slonik: 6,
  TypeORM: 2,
}

describe.each(everyBridge)('$name', ({ name, open }) => {
  const database = testDatabase()

  test('takes as few round trips as its library allows', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    const bridge = await open({ url: proxy.through(database.url()), max: 1 })
    const store = postgresStore({ client: bridge.client })
    const request = async () => attemptOf(await store.begin(claimOf())).complete(kept('done'))
    try {
      // The first two requests do the work that a connection and its library do only once.
      for (let time = 0; time < 2; time += 1) await request()
      // A delay, so that statements sent together arrive together.
      proxy.latency(3)
      proxy.resetCounts()
      expect(await request()).toBe('stored')
      expect(proxy.counts().roundTrips).toBe(roundTrips[name])
    } finally {
      await bridge.end()
      await proxy.stop()
    }
  })
})
