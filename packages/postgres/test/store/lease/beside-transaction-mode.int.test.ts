import { randomUUID } from 'node:crypto'
import type { Claim } from '@oncekey/core'
import { waitFor } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const insert = 'insert into orders values ($1)'
const renewed = testDatabase()

// While a deploy changes the mode, processes in both modes work on the same keys.
describe.each(['read committed', 'serializable'] as const)(
  'a store in lease mode and one in transaction mode, %s',
  (isolation) => {
    const database = testDatabase()
    const leased = storeOnce('lease')
    const transactional = storeOnce('transaction')

    function storeOnce(mode: 'lease' | 'transaction') {
      let made: ReturnType<typeof storeOn> | undefined
      return () => {
        made ??= storeOn(database.pool(), { mode, isolation })
        return made
      }
    }

    async function nameOf(store: ReturnType<typeof storeOn>, claim: Claim): Promise<string> {
      const held = await store.begin(again(claim, { whenUnknown: 'hold' }))
      if (held.kind !== 'unknown') throw new Error(held.kind)
      return held.attempt
    }

    test('replay what the other has finished', async () => {
      const [one, two] = [claimOf(), claimOf()]
      await attemptOf(await leased().begin(one)).complete(kept('by lease'))
      await attemptOf(await transactional().begin(two)).complete(kept('by transaction'))
      expect(said(await transactional().begin(again(one)))).toBe('replay 201 by lease')
      expect(said(await leased().begin(again(two)))).toBe('replay 201 by transaction')
      const other = { fingerprints: ['other'] } as const
      expect(said(await transactional().begin(again(one, other)))).toBe('mismatch')
      expect(said(await leased().begin(again(two, other)))).toBe('mismatch')
    })

    test('see what the other is running', async () => {
      const [one, two] = [claimOf(), claimOf()]
      const first = attemptOf(await leased().begin(one))
      expect(said(await transactional().begin(again(one)))).toBe('in-progress')
      expect(said(await transactional().begin(again(one, { waitMs: 50 })))).toBe('in-progress')
      expect(said(await transactional().begin(again(one, { fingerprints: ['x'] })))).toBe(
        'mismatch',
      )
      await first.transaction()
      expect(said(await transactional().begin(again(one)))).toBe('in-progress')
      expect(await first.complete(kept('done'))).toBe('stored')

      const second = attemptOf(await transactional().begin(two))
      expect(said(await leased().begin(again(two)))).toBe('in-progress')
      const waiter = leased().begin(again(two, { waitMs: 30_000 }))
      expect(await second.complete(kept('done'))).toBe('stored')
      expect(said(await waiter)).toBe('replay 201 done')
    })

    test('let transaction mode hold an unknown outcome, or take it over with the next number', async () => {
      const claim = claimOf()
      const stale = attemptOf(await leased().begin({ ...claim, leaseMs: 1 }))
      await lapsed(claim.key)
      const hold = () => transactional().begin(again(claim, { whenUnknown: 'hold' }))
      expect(said(await hold())).toBe('unknown')
      const owner = attemptOf(await transactional().begin(again(claim)))
      expect(owner.number).toBe(2)
      const [ours, theirs] = [randomUUID(), randomUUID()]
      await (await owner.transaction()).query(insert, [ours])
      expect(said(await leased().begin(again(claim)))).toBe('in-progress')
      expect(await owner.complete(kept('done'))).toBe('stored')
      const late = stale.transaction().then((tx) => tx.query(insert, [theirs]))
      await expect(late).rejects.toMatchObject({ code: 'transaction-over' })
      expect(await stale.complete(kept('stale'))).toBe('superseded')
      expect([await database.hasOrder(ours), await database.hasOrder(theirs)]).toEqual([
        true,
        false,
      ])
      expect(
        await database.query('select from oncekey.attempts where key = $1', [claim.key]),
      ).toEqual([])
    })

    test('take over the attempt that a claim names, and no other', async () => {
      const claim = claimOf()
      await attemptOf(await leased().begin(claim)).abandon()
      for (const [store, number] of [
        [leased(), 3],
        [transactional(), 5],
      ] as const) {
        const first = await nameOf(store, claim)
        await attemptOf(await leased().begin(again(claim))).abandon()
        expect(said(await store.begin(again(claim, { retakes: first })))).toBe('unknown')
        const retakes = await nameOf(store, claim)
        expect(retakes).not.toBe(first)
        const taker = attemptOf(await store.begin(again(claim, { retakes })))
        expect(taker.number).toBe(number)
        await taker.abandon()
      }
    })

    // A bug: transaction mode knew the attempt by its number alone.
    test('tell an attempt from a later one of the same number', async () => {
      const claim = claimOf()
      await attemptOf(await leased().begin(claim)).abandon()
      const retakes = await nameOf(transactional(), claim)
      const act = { actor: 'maria', note: 'nothing happened' }
      expect(await transactional().keys.release(claim, act)).toBe('done')
      await attemptOf(await leased().begin(again(claim))).abandon()
      for (const store of [transactional(), leased()]) {
        expect(said(await store.begin(again(claim, { retakes })))).toBe('unknown')
        expect(await nameOf(store, claim)).not.toBe(retakes)
      }
    })

    // A bug: the attempt of lease mode was taken for one that the database has lost, and its late
    // end stored its response.
    test.each([
      ['a response', kept],
      ['a refusal', refused],
    ] as const)(
      'tell a late end from a lost attempt once the key was forgotten: %s',
      async (_, how) => {
        const claim = claimOf()
        const stale = attemptOf(await leased().begin({ ...claim, leaseMs: 1 }))
        await lapsed(claim.key)
        const taker = attemptOf(await transactional().begin(again(claim)))
        expect(await taker.complete(how('done'))).toBe('stored')
        const [fingerprint] = claim.fingerprints
        const act = { actor: 'maria', note: 'run it again' }
        expect(await leased().keys.forget({ ...claim, fingerprint }, act)).toBe('done')
        expect(await stale.renew(60_000)).toBe('stale')
        expect(await stale.complete(kept('stale'))).toBe('superseded')
        const next = await transactional().begin(again(claim, { whenUnknown: 'hold' }))
        await attemptOf(next).release()
      },
    )

    test('let go of an attempt that is being ended at this moment', async () => {
      const claim = claimOf()
      await attemptOf(await leased().begin(claim)).abandon()
      const ending = await database.pool().connect()
      await ending.query('begin')
      await ending.query('select from oncekey.attempts where key = $1 for update', [claim.key])
      expect(said(await transactional().begin(again(claim)))).toBe('in-progress')
      await ending.query('rollback')
      ending.release()
      await attemptOf(await transactional().begin(again(claim))).release()
    })

    // A bug: the renewal returned `held` until the attempt that took over had committed, so two
    // handlers ran at the same time.
    test('renew nothing that the other is taking over, and nothing is lost if that is undone', async () => {
      const claim = claimOf({ leaseMs: 1 })
      const stale = attemptOf(await leased().begin(claim))
      await lapsed(claim.key)
      const taker = attemptOf(await transactional().begin(again(claim)))
      expect(await stale.renew(60_000)).toBe('stale')
      await taker.abandon()
      expect(await stale.renew(60_000)).toBe('held')
      expect(said(await transactional().begin(again(claim)))).toBe('in-progress')
      expect(await stale.complete(kept('done'))).toBe('stored')
    })

    test('renew a lease that has run out, whose own transaction is open', async () => {
      const claim = claimOf({ leaseMs: 1 })
      const attempt = attemptOf(await leased().begin(claim))
      await attempt.transaction()
      await lapsed(claim.key)
      expect(await attempt.renew(60_000)).toBe('held')
      expect(await attempt.complete(kept('done'))).toBe('stored')
    })

    test('leave an unknown outcome unknown if the attempt that took it over is undone', async () => {
      const claim = claimOf()
      await attemptOf(await leased().begin(claim)).abandon()
      await attemptOf(await transactional().begin(again(claim))).abandon()
      for (const store of [leased(), transactional()]) {
        expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
      }
      // A refusal is stored after its writes and its takeover are undone, so the record decides
      // first.
      const refusing = attemptOf(await transactional().begin(again(claim)))
      expect(await refusing.complete(refused('no'))).toBe('stored')
      for (const store of [leased(), transactional()]) {
        expect(said(await store.begin(again(claim)))).toBe('replay 422 no')
      }
    })

    test('release the key before they report that, so that the next claim does not get in-progress', async () => {
      const claim = claimOf()
      await attemptOf(await leased().begin(claim)).abandon()
      const [pool, rollback] = [database.pool(), gate()]
      pool.on('connect', (client) => {
        const send = client.query.bind(client)
        const query = (...args: unknown[]) => Reflect.apply(send, undefined, args)
        client.query = ((...args: unknown[]) =>
          JSON.stringify(args[0]).includes('ROLLBACK')
            ? rollback.opened().then(() => query(...args))
            : query(...args)) as typeof client.query
      })
      const store = storeOn(pool, { mode: 'transaction', isolation })
      let isAnswered = false
      const answer = store.begin(again(claim, { whenUnknown: 'hold' })).finally(() => {
        isAnswered = true
      })
      await rollback.reached
      expect(await database.locks()).toBeGreaterThan(0)
      expect(isAnswered).toBe(false)
      rollback.open()
      expect(said(await answer)).toBe('unknown')
      await attemptOf(await store.begin(again(claim))).release()
    })

    test('run one of fifty claims in both modes', async () => {
      const claim = claimOf()
      const decisions = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? leased() : transactional()).begin(again(claim)),
        ),
      )
      const running = decisions.filter(({ kind }) => kind === 'run')
      expect(running.length).toBeLessThanOrEqual(1)
      for (const { kind } of decisions) expect(['run', 'in-progress']).toContain(kind)
      for (const decision of running) await attemptOf(decision).release()
    })

    async function lapsed(key: string): Promise<void> {
      const text = 'select from oncekey.attempts where key = $1 and until < clock_timestamp()'
      await waitFor(async () => (await database.query(text, [key])).length === 1, {
        what: 'the lease to be over',
      })
    }
  },
)

// A bug: the claim took the key over, because in its snapshot the lease was not renewed yet. The
// process that renewed it had been told so before the lease ended, and went on.
test.each(['read committed', 'repeatable read'] as const)(
  'a claim in transaction mode that was held up sees a renewal of lease mode, %s',
  async (isolation) => {
    const claim = claimOf({ leaseMs: 1_500 })
    await attemptOf(await storeOn(renewed.pool(), { mode: 'lease' }).begin(claim)).renew(1_500)
    const holder = await renewed.pool().connect()
    await holder.query('begin; lock table oncekey.attempts in access exclusive mode')
    const deciding = storeOn(renewed.pool(), { mode: 'transaction', isolation }).begin(again(claim))
    await waitFor(
      async () => {
        const text = `select from pg_locks where not granted and relation = 'oncekey.attempts'::regclass`
        return (await holder.query(text)).rowCount !== 0
      },
      { what: 'the claim to wait' },
    )
    const renewal = `update oncekey.leases set until = until + interval '1 hour' where token = $1`
    await renewed.query(renewal, [claim.token])
    await waitFor(
      async () => {
        const text = `select from oncekey.leases
          where token = $1 and until - interval '1 hour' < clock_timestamp()`
        return (await holder.query(text, [claim.token])).rowCount === 1
      },
      { what: 'the lease to have ended without the renewal' },
    )
    await holder.query('commit')
    holder.release()
    expect(said(await deciding)).toBe('in-progress')
  },
)

/** A gate that holds up every caller until it is opened. */
function gate() {
  let [reach, open] = [(): void => {}, (): void => {}]
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const isOpen = new Promise<void>((resolve) => {
    open = resolve
  })
  const opened = (): Promise<void> => {
    reach()
    return isOpen
  }
  return { reached, opened, open: () => open() }
}
