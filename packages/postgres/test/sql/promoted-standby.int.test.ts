import { randomUUID } from 'node:crypto'
import { replicateSynchronously, waitFor } from '@oncekey/test-servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { type ReplicatedStore, replicatedStore } from '../database/replicated-store.ts'
import { storeOn } from '../database/test-database.ts'

// Nobody stopped the old primary: it still runs, and connections to it stay open for a while.
describe.each(['transaction', 'lease'] as const)(
  'a standby is promoted while COMMIT waits for it, in %s mode:',
  (mode) => {
    let site: ReplicatedStore
    beforeEach(async () => {
      site = await replicatedStore()
    }, 60_000)
    afterEach(async () => {
      await site?.stop()
    })

    async function begun() {
      // COMMIT is answered only once the standby has applied it, not only received it.
      const pool = site.pool({ max: 6, options: '-c synchronous_commit=remote_apply' })
      const store = storeOn(pool, { mode, commitTimeoutMs: 1_000, acquireTimeoutMs: 2_000 })
      const claim = claimOf({ leaseMs: 3_000 })
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx.query('insert into orders values ($1)', [randomUUID()])
      return { store, claim, attempt }
    }

    function leadToIt(): void {
      site.address.retarget(site.standby.port)
      site.address.cut()
    }

    const answeredBy = (store: ReturnType<typeof storeOn>, claim: ReturnType<typeof claimOf>) =>
      waitFor(
        async () => {
          const decision = await store.begin(again(claim)).catch(() => undefined)
          return decision !== undefined && decision.kind !== 'in-progress' && decision
        },
        { what: 'the new primary to answer the key', timeoutMs: 30_000 },
      )
    const orders = async () => (await site.ask(site.standby, 'table orders')).length

    test('it had the commit: the request is told 503, and the retry replays', async () => {
      const { store, claim, attempt } = await begun()
      await replicateSynchronously(site.primary, true)
      await site.ask(site.standby, 'select pg_wal_replay_pause()')
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      expect(await site.waitForStandby()).toBeGreaterThan(0)
      await site.standby.promote()
      leadToIt()
      expect(said(await answeredBy(store, claim))).toBe('replay 201 done')
      expect(await orders()).toBe(1)
    })

    test('it had nothing: the old primary acknowledges nothing, and the retry runs', async () => {
      const { store, claim, attempt } = await begun()
      await site.loseStandby()
      await expect(attempt.complete(kept('done'))).rejects.toMatchObject({ code: 'commit-failed' })
      await site.standby.promote()
      // The address still leads to the old primary.
      expect(said(await store.begin(again(claim)))).toBe('in-progress')
      const other = await store.begin(claimOf()).catch((error) => error)
      if (other.kind === 'run') {
        await expect(other.attempt.complete(kept('other'))).rejects.toMatchObject({
          code: 'commit-failed',
        })
      } else expect(other.code).toMatch(/^store-/)
      leadToIt()
      const next = attemptOf(await answeredBy(store, claim))
      expect(await orders()).toBe(0)
      expect(await next.complete(kept('again'))).toBe('stored')
      expect(said(await store.begin(again(claim)))).toBe('replay 201 again')
    })
  },
)
