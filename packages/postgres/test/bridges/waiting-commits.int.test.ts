import { postgresStore } from '@oncekey/postgres'
import { waitFor } from '@oncekey/test-servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { attemptOf, claimOf, kept } from '../database/claims.ts'
import { type ReplicatedStore, replicatedStore } from '../database/replicated-store.ts'
import type { Bridge } from './driven/bridge.ts'
import { knexBridge } from './driven/knex.ts'
import { mikroOrm } from './driven/mikro-orm.ts'
import { sequelizeBridge } from './driven/sequelize.ts'

// A bug: these libraries have pools of their own, and nobody opened a connection outside of them to
// ask what became of a COMMIT that was given up. So its place went to a new connection, whose
// COMMIT waited for the standby as well, until the server refused everybody.
describe.each([knexBridge, mikroOrm, sequelizeBridge])('$name', ({ open }) => {
  let site: ReplicatedStore
  let bridge: Bridge
  beforeEach(async () => {
    site = await replicatedStore()
    bridge = await open({ url: site.url, max: 3 })
  })
  afterEach(async () => {
    await bridge?.end()
    await site?.stop()
  })

  test('opens no connection in the place of one whose COMMIT waits for the standby', async () => {
    const { client } = bridge
    const options = { maxConcurrent: 2, commitTimeoutMs: 100, acquireTimeoutMs: 1_500 }
    const store = postgresStore({ client, ...options })
    await attemptOf(await store.begin(claimOf())).complete(kept('done'))
    await site.loseStandby()
    const codes = new Set<unknown>()
    for (let round = 0; round < 6; round++) {
      const decision = await store.begin(claimOf()).catch((error) => codes.add(error.code))
      if ('kind' in decision) {
        await attemptOf(decision)
          .complete(kept('done'))
          .catch((error) => codes.add(error.code))
      }
    }
    expect(codes).toEqual(new Set(['commit-failed', 'store-busy']))
    expect(await site.waitForStandby()).toBe(3)

    await site.standby.reconnect()
    await waitFor(
      async () =>
        attemptOf(await store.begin(claimOf()))
          .release()
          .then(() => true),
      { what: 'the pool to be whole' },
    )
  })
})
