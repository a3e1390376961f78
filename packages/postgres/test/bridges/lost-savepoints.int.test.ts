import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { everyBridge } from './driven/all.ts'

const MAX = 3

// A bug: postgres.js ends a savepoint with its own statement, and wrote that to a closed socket, so
// the process ended or the connection was lost for good.
describe.each(everyBridge.filter(({ lacks }) => lacks?.nested === undefined))(
  'a connection lost in a savepoint, $name',
  ({ open }) => {
    const database = testDatabase()

    const ways = {
      'the handler throws': async () => {
        throw new Error('mine')
      },
      'the handler continues to write': (insert: () => Promise<unknown>) => insert(),
      'the handler returns': async () => {},
    }

    test.each(Object.entries(ways))('is an error in the handler; then %s', async (_, then) => {
      const bridge = await open({ url: database.url(), max: MAX })
      const store = postgresStore({ client: bridge.client, maxConcurrent: MAX })
      for (const end of ['complete', 'release'] as const) {
        const claim = claimOf()
        const attempt = attemptOf(await store.begin(claim))
        const tx = await attempt.transaction()
        const work = bridge.nested?.(tx, async (inner) => {
          await bridge.insert(inner, claim.key)
          await killed(await pidOf(await bridge.raw(inner, 'select pg_backend_pid() as pid')))
          await then(() => bridge.insert(inner, randomUUID()) as Promise<unknown>)
        })
        await work?.catch(() => {})
        if (end === 'release') await attempt.release()
        else {
          const error = expect.objectContaining({ code: 'commit-failed' })
          await expect(attempt.complete(kept('done'))).rejects.toEqual(error)
        }
        expect(await database.hasOrder(claim.key)).toBe(false)
        await attemptOf(await store.begin(again(claim))).release()
      }
      await Promise.all(
        Array.from({ length: 2 * MAX }, async () => {
          const attempt = attemptOf(await store.begin(claimOf()))
          expect(await attempt.complete(kept('done'))).toBe('stored')
        }),
      )
      await bridge.end()
    })

    async function killed(pid: number): Promise<void> {
      await database.query('select pg_terminate_backend($1)', [pid])
      const sessions = 'select from pg_stat_activity where pid = $1'
      await waitFor(async () => (await database.query(sessions, [pid])).length === 0, {
        what: 'the session to be gone',
      })
      // Waits until the driver has noticed.
      await sleep(50)
    }
  },
)

function pidOf(rows: readonly unknown[]): number {
  return Number((rows[0] as { pid: number }).pid)
}
