import { expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const database = testDatabase()
const TABLES = ['records', 'outbox', 'attempts', 'leases']

/** How many rows each table has; tables without rows are left out. */
async function rows(): Promise<Record<string, number>> {
  const counts = TABLES.map((name) => `(select count(*)::int from oncekey.${name}) as ${name}`)
  const [row = {}] = await database.query<Record<string, number>>(`select ${counts}`)
  return Object.fromEntries(Object.entries(row).filter(([, count]) => count !== 0))
}

// The numbers of rows in docs/sizing.md.
test.each(['transaction', 'lease'] as const)('the rows of a request in %s mode', async (mode) => {
  await database.query(`truncate ${TABLES.map((name) => `oncekey.${name}`)}`)
  const store = storeOn(database.pool(), { mode })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  expect(await rows()).toEqual(mode === 'lease' ? { attempts: 1 } : {})
  await attempt.complete(kept('done', [eventOf(), eventOf()]))
  expect(await rows()).toEqual({ records: 1, outbox: 2 })
  expect((await store.begin(again(claim))).kind).toBe('replay')
  expect(await rows()).toEqual({ records: 1, outbox: 2 })
  await attemptOf(await store.begin(claimOf())).complete(refused('no'))
  expect(await rows()).toEqual({ records: 2, outbox: 2 })

  const given = mode === 'lease' ? { leases: 1 } : {}
  await attemptOf(await store.begin(claimOf())).release()
  expect(await rows()).toEqual({ records: 2, outbox: 2, ...given })
  const unknown = mode === 'lease' ? { attempts: 1, leases: 2 } : {}
  await attemptOf(await store.begin(claimOf())).abandon()
  expect(await rows()).toEqual({ records: 2, outbox: 2, ...unknown })
})
