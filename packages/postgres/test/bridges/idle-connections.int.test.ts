import { postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { attemptOf, claimOf, kept } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { everyBridge } from './driven/all.ts'

// docs/bridges.md, who listens for 'error' events: those of the tests listen where the page says
// that a user has to, and nowhere else. An event that nobody takes ends this process.
describe.each(everyBridge)('$name', ({ open }) => {
  const database = testDatabase()

  test('a connection that the server ends while it is idle ends no process', async () => {
    const bridge = await open({ url: database.url(), max: 4 })
    const store = postgresStore({ client: bridge.client })
    const run = async () => attemptOf(await store.begin(claimOf())).complete(kept('done'))
    try {
      expect(await run()).toBe('stored')
      const idle = `from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid() and state = 'idle' and backend_type = 'client backend'`
      await database.query(`select pg_terminate_backend(pid) ${idle}`)
      await waitFor(async () => (await run().catch(() => 'failed')) === 'stored', {
        what: 'a request to run',
      })
    } finally {
      await bridge.end()
    }
  })
})
