import { type Claim, once } from '@oncekey/core'
import { eraseScope, postgresStore, purge } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { completeAttempt } from '../../../src/store/statements/leases.ts'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../../database/claims.ts'
import { replicatedStore } from '../../database/replicated-store.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

// A bug: after a failover that had lost the claim, the completion was refused and the key freed. So
// a handler that had charged a card was run again by the retry, even with `hold`.
test('a handler whose claim an asynchronous failover takes back has run once', async () => {
  const db = await replicatedStore()
  try {
    const store = postgresStore({ client: db.pool({ max: 4 }), mode: 'lease' })
    const pay = once({ store, namespace: 'payments', whenUnknown: 'hold' })
    let charges = 0
    const charge = () =>
      pay.run({ scope: 'customer-1', key: 'order-1' }, async () => {
        charges += 1
        if (charges === 1) await db.failOver()
        return { charges }
      })
    db.standby.cutOff()
    expect(await charge()).toEqual({ value: { charges: 1 }, replayed: false })
    expect(await charge()).toEqual({ value: { charges: 1 }, replayed: true })
  } finally {
    await db.stop()
  }
})

describe('an attempt that the database has lost', () => {
  const database = testDatabase()
  const store = () => storeOn(database.pool({ max: 4 }), { mode: 'lease' })

  async function lost() {
    const ours = store()
    const claim = claimOf()
    const attempt = attemptOf(await ours.begin(claim))
    await database.query('delete from oncekey.attempts where key = $1', [claim.key])
    return { claim, attempt, store: ours, now: () => sayNow(ours, claim) }
  }

  async function sayNow(ours: ReturnType<typeof store>, claim: Claim): Promise<string> {
    const decision = await ours.begin(again(claim, { whenUnknown: 'hold' }))
    if (decision.kind === 'run') await decision.attempt.release()
    return said(decision)
  }

  test('is stored when it completes', async () => {
    const { attempt, now } = await lost()
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await now()).toBe('replay 201 done')
  })

  test('is stored when it refuses', async () => {
    const { attempt, now } = await lost()
    expect(await attempt.complete(refused('no'))).toBe('stored')
    expect(await now()).toBe('replay 422 no')
  })

  test('has its key again from the next renewal on', async () => {
    const { attempt, now } = await lost()
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await now()).toBe('in-progress')
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test('gets its transaction, and commits in it', async () => {
    const { claim, attempt, now } = await lost()
    const transaction = await attempt.transaction()
    await transaction.query('insert into orders values ($1)', [claim.key])
    // The restored row is committed, so that no renewal waits for the transaction.
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(kept('done'))).toBe('stored')
    expect(await database.hasOrder(claim.key)).toBe(true)
    expect(await now()).toBe('replay 201 done')
  })

  test('is unknown when it is abandoned', async () => {
    const { attempt, now } = await lost()
    await attempt.abandon()
    expect(await now()).toBe('unknown')
  })

  test('is free when it is released, whatever renewal comes later', async () => {
    const { claim, attempt, now } = await lost()
    await attempt.release()
    const late = { ...claim, ms: 60_000, fingerprint: 'json1:abc', number: 1 }
    const renewed = await database.query('select oncekey.renew_leases_4($1, null) as held', [
      JSON.stringify([late]),
    ])
    expect(renewed).toEqual([{ held: '[]' }])
    expect(await now()).toBe('run')
  })

  test('gets nothing if another attempt has the key by now', async () => {
    const { claim, attempt, store } = await lost()
    const other = attemptOf(await store.begin(again(claim)))
    await expect(attempt.transaction()).rejects.toMatchObject({ code: 'transaction-over' })
    expect(await attempt.renew(60_000)).toBe('stale')
    expect(await attempt.complete(kept('late'))).toBe('superseded')
    expect(await other.complete(kept('done'))).toBe('stored')
  })

  // A bug: the failover brought the row of the attempt back that had been taken over, and the one
  // that ran was refused.
  describe.each(['abandoned', 'lapsed'])('that had taken over one that was %s', (how) => {
    async function lostTakeover() {
      const ours = store()
      const claim = claimOf(how === 'lapsed' ? { leaseMs: 1 } : {})
      const first = attemptOf(await ours.begin(claim))
      if (how === 'abandoned') await first.abandon()
      const earlier = await database.query<object>(
        'select * from oncekey.attempts where key = $1',
        [claim.key],
      )
      const later = again(claim, { leaseMs: 60_000 })
      const attempt = attemptOf(await ours.begin(later))
      expect(attempt.number).toBe(2)
      await database.query('delete from oncekey.attempts where key = $1', [claim.key])
      await database.query('delete from oncekey.leases where token = $1', [claim.token])
      await database.query(
        'insert into oncekey.attempts select * from json_populate_recordset(null::oncekey.attempts, $1)',
        [JSON.stringify(earlier)],
      )
      return { claim, first, attempt, ours, now: () => sayNow(ours, claim) }
    }

    test('is stored when it completes', async () => {
      const { attempt, now } = await lostTakeover()
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await now()).toBe('replay 201 done')
    })

    test('has its key again from the next renewal on', async () => {
      const { first, attempt, now } = await lostTakeover()
      expect(await attempt.renew(60_000)).toBe('held')
      expect(await now()).toBe('in-progress')
      expect(await first.renew(60_000)).toBe('stale')
      expect(await attempt.complete(refused('no'))).toBe('stored')
      expect(await now()).toBe('replay 422 no')
    })

    test('gets its transaction, and commits in it', async () => {
      const { claim, attempt, now } = await lostTakeover()
      const transaction = await attempt.transaction()
      await transaction.query('insert into orders values ($1)', [claim.key])
      expect(await attempt.complete(kept('done'))).toBe('stored')
      expect(await database.hasOrder(claim.key)).toBe(true)
      expect(await now()).toBe('replay 201 done')
    })

    test('gets nothing if another attempt has taken over meanwhile', async () => {
      const { claim, attempt, ours } = await lostTakeover()
      const other = attemptOf(await ours.begin(again(claim, { leaseMs: 60_000 })))
      expect(await attempt.renew(60_000)).toBe('stale')
      expect(await attempt.complete(kept('late'))).toBe('superseded')
      await other.abandon()
      expect(await attempt.complete(kept('late'))).toBe('superseded')
      expect(await sayNow(ours, claim)).toBe('unknown')
    })
  })

  test('is told from one that was taken over by an attempt that was then released', async () => {
    const ours = store()
    const claim = claimOf({ leaseMs: 1 })
    const [stale, late] = [attemptOf(await ours.begin(claim)), again(claim)]
    const taker = attemptOf(await ours.begin(late))
    await taker.release()
    expect(await stale.renew(60_000)).toBe('stale')
    expect(await stale.complete(kept('late'))).toBe('superseded')
    expect(await sayNow(ours, claim)).toBe('run')
  })

  // A bug: what an operator had forgotten was stored again by a completion that was sent twice, and
  // its events were appended a second time.
  test.each(['kept', 'emptied by purge', 'erased'])(
    'is told from one whose record was forgotten, %s',
    async (how) => {
      const ours = store()
      const [claim, event] = [claimOf({ scope: `tenant-${how}` }), eventOf()]
      const attempt = attemptOf(await ours.begin(claim))
      expect(await attempt.complete(kept('charged', [event]))).toBe('stored')
      const act = { actor: 'maria', note: 'run it again' }
      if (how === 'emptied by purge') await purge(database.pool(), { resultRetentionMs: 0 })
      if (how === 'erased') await eraseScope(database.pool(), claim, act)
      const [fingerprint] = claim.fingerprints
      expect(await ours.keys.forget({ ...claim, fingerprint }, act)).toBe('done')
      // What is sent again after the reply was lost.
      const { text, values } = completeAttempt('oncekey')(claim, kept('charged', [event]), null)
      await expect(database.query(text, [...values])).rejects.toMatchObject({ code: 'OK002' })
      const events = await database.query('select from oncekey.outbox where id = $1', [event.id])
      expect(events).toHaveLength(1)
      // Nor does a late copy of the claim take the key.
      expect(said(await storeOn(database.pool(), { mode: 'lease' }).begin(claim))).toBe(
        'in-progress',
      )
      expect(await sayNow(ours, claim)).toBe('run')
    },
  )
})
