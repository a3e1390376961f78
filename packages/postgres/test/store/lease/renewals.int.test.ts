import { waitFor } from '@oncekey/test-servers'
import { expect, test } from 'vitest'
import { attemptOf, claimOf, kept } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const database = testDatabase()

// A bug: the row stayed in the table, and its token in memory, for as long as the process ran.
test('an attempt that ends while its renewal is under way leaves no lease behind', async () => {
  const store = storeOn(database.pool({ max: 4 }), { mode: 'lease' })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  // The renewal has to wait for the row of its token.
  const other = await database.pool().connect()
  await other.query('begin')
  await other.query('insert into oncekey.leases (token, until) values ($1, now())', [claim.token])
  const renewing = attempt.renew(60_000)
  await waitFor(
    async () =>
      (
        await database.query(
          "select from pg_stat_activity where query ~ 'renew_leases' and wait_event_type = 'Lock'",
        )
      ).length === 1,
    { what: 'the renewal to wait' },
  )
  expect(await attempt.complete(kept('done'))).toBe('stored')
  await other.query('rollback')
  other.release()
  await renewing
  await waitFor(async () => (await database.query('select from oncekey.leases')).length === 0, {
    what: 'the row to be deleted',
  })
})
