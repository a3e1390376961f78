import assert from 'node:assert/strict'
import type { Attempt, Claim } from '@oncekey/core'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** Lease mode: an attempt owns its key for a time, and every write it makes is fenced by its token. */
export function lease(): StoreBehaviourGroup {
  return {
    title: 'leases',
    behaviours: [
      {
        title: 'a key is owned until the lease runs out, and then taken over as attempt number 2',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run, lapse, shortLeaseMs }) {
          const first = claim({ leaseMs: shortLeaseMs })
          await run(first)
          await lapse(first)
          assert.equal((await run(retry(first))).number, 2)
          expectDecision(await begin(retry(first)), 'in-progress')
        },
      },
      {
        title: 'each takeover counts one more attempt',
        needs: ['lease mode'],
        async run({ claim, retry, run, lapse, shortLeaseMs }) {
          let latest = claim({ leaseMs: shortLeaseMs })
          for (const number of [1, 2, 3]) {
            assert.equal((await run(latest)).number, number)
            await lapse(latest)
            latest = retry(latest, { leaseMs: shortLeaseMs })
          }
        },
      },
      {
        title: 'of 100 concurrent claims on a lease that ran out one takes over',
        needs: ['lease mode'],
        async run({ store, another, claim, retry, begin, run, lapse, shortLeaseMs }) {
          const first = claim({ leaseMs: shortLeaseMs })
          await run(first)
          await lapse(first)
          const stores = [store, await another()]
          const decisions = await Promise.all(
            Array.from({ length: 100 }, (_, index) => begin(retry(first), stores[index % 2])),
          )
          assert.deepEqual(countKinds(decisions), { run: 1, 'in-progress': 99 })
        },
      },
      {
        // Stores with one time for both kept a crashed request's key blocked for a day, or days.
        title: 'a finished key outlives the lease it was finished under',
        needs: ['lease mode'],
        async run({ claim, retry, begin, finish, lapse, run, shortLeaseMs }) {
          const [first, control] = [0, 1].map(() => claim({ leaseMs: shortLeaseMs })) as [
            Claim,
            Claim,
          ]
          const response = await finish(first)
          await run(control)
          await lapse(control)
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'the attempt says when its lease was asked for, in this process and after any wait',
        needs: ['lease mode', 'attempts side by side'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const before = performance.now()
          const attempt = await run(first)
          const won = performance.now()
          const { askedAt } = attempt
          assert.ok(askedAt !== undefined && askedAt >= before && askedAt <= won, `${askedAt}`)
          const waiting = begin(retry(first, { waitMs: 10_000 }))
          const released = performance.now()
          await attempt.release()
          const { attempt: next } = expectDecision(await waiting, 'run')
          const answered = performance.now()
          assert.ok(next.askedAt !== undefined && next.askedAt >= released, 'before the wait')
          assert.ok(next.askedAt <= answered, 'after the answer')
        },
      },
      {
        title: '`renew` answers `held` and owns the key for as long again, counted from now',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run, lapse, shortLeaseMs }) {
          const [first, control] = [0, 1].map(() => claim({ leaseMs: shortLeaseMs })) as [
            Claim,
            Claim,
          ]
          const attempt = await run(first)
          await run(control)
          assert.equal(await attempt.renew(60 * 60 * 1000), 'held')
          await lapse(control)
          expectDecision(await begin(retry(first)), 'in-progress')
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'a lease can be renewed to end sooner',
        needs: ['lease mode'],
        async run({ claim, retry, run, lapse, shortLeaseMs }) {
          const first = claim()
          const attempt = await run(first)
          assert.equal(await attempt.renew(shortLeaseMs), 'held')
          await lapse({ ...first, leaseMs: shortLeaseMs })
          assert.equal((await run(retry(first))).number, 2)
        },
      },
      {
        title:
          'a lease that ran out is not lost before another attempt took over: `renew` is `held`',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run, lapse, shortLeaseMs }) {
          const first = claim({ leaseMs: shortLeaseMs })
          const attempt = await run(first)
          await lapse(first)
          assert.equal(await attempt.renew(60 * 60 * 1000), 'held')
          expectDecision(await begin(retry(first)), 'in-progress')
        },
      },
      {
        title:
          'a lease that ran out is not lost before another attempt took over: `complete` stores',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run, lapse, shortLeaseMs }) {
          const first = claim({ leaseMs: shortLeaseMs })
          const [attempt, response] = [await run(first), responseOf('late, and the only one')]
          await lapse(first)
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'ends with the attempt: `renew` after the end is `stale`',
        needs: ['lease mode'],
        async run({ claim, run }) {
          for (const end of ['complete', 'release', 'abandon'] as const) {
            const attempt = await run(claim())
            if (end === 'complete') await attempt.complete(completionOf())
            else await attempt[end]()
            assert.equal(await attempt.renew(60_000), 'stale', end)
          }
        },
      },
      {
        title: 'the clock is the store’s own: another process’s may be five minutes off',
        needs: ['lease mode', 'another instance'],
        async run({ claim, retry, begin, run, another }) {
          const first = claim({ leaseMs: 60_000 })
          await run(first)
          const other = await another()
          for (const skewMs of [5 * 60_000, -5 * 60_000]) {
            await withSkewedClock(skewMs, async () => {
              expectDecision(await begin(retry(first), other), 'in-progress')
            })
          }
        },
      },
      ...staleAttempt(),
    ],
  }
}

/** What an attempt may do to the key once another has taken it over: nothing. */
function staleAttempt(): StoreBehaviour[] {
  return [
    {
      title: 'a stale `complete` answers `superseded` and does not touch the new attempt',
      needs: ['lease mode'],
      async run(context) {
        const { retry, begin } = context
        const { first, stale, owner } = await takenOver(context)
        assert.equal(await stale.complete(completionOf({ response: theirs })), 'superseded')
        expectDecision(await begin(retry(first)), 'in-progress')
        assert.equal(await owner.complete(completionOf({ response: ours })), 'stored')
        expectReplay(await begin(retry(first)), ours)
      },
    },
    {
      // The late writer of powertools, quarkus and idempotency4j: same request, older attempt.
      title: 'a stale `complete` does not replace the response of the attempt that took over',
      needs: ['lease mode'],
      async run(context) {
        const { retry, begin } = context
        const { first, stale, owner } = await takenOver(context)
        assert.equal(await owner.complete(completionOf({ response: ours })), 'stored')
        assert.equal(await stale.complete(completionOf({ response: theirs })), 'superseded')
        expectReplay(await begin(retry(first)), ours)
      },
    },
    {
      title: 'a stale `complete` commits no event',
      needs: ['lease mode', 'events'],
      async run(context) {
        const { event, committed } = context
        const { stale, owner } = await takenOver(context)
        const [lost, kept] = [event(), event()]
        assert.equal(await stale.complete(completionOf({ events: [lost] })), 'superseded')
        assert.equal(await owner.complete(completionOf({ events: [kept] })), 'stored')
        assert.deepEqual(await committed(lost, kept), [kept.id])
      },
    },
    {
      title: 'a stale attempt cannot commit a write, whenever it asks for the transaction',
      needs: ['lease mode', 'transactions'],
      async run(context) {
        const { name, write, written } = context
        const { stale, owner } = await takenOver(context)
        const [lost, kept] = [name(), name()]
        // It may be refused the transaction, or the commit.
        await write(stale, lost).catch(() => {})
        await write(owner, kept)
        assert.equal(await stale.complete(completionOf()), 'superseded')
        assert.equal(await owner.complete(completionOf()), 'stored')
        assert.deepEqual([await written(lost), await written(kept)], [false, true])
      },
    },
    {
      title:
        'of an attempt with an open transaction and the one that comes after its lease one commits',
      needs: ['lease mode', 'transactions'],
      async run(context) {
        const { claim, retry, begin, run, lapse, shortLeaseMs, name, write, written } = context
        const first = claim({ leaseMs: shortLeaseMs })
        const [attempt, id, successorId] = [await run(first), name(), name()]
        await write(attempt, id)
        // Not seen by a claim on this key, which may have to wait for the transaction's row lock.
        await lapse(await beside(context))
        const decision = await begin(retry(first))
        if (decision.kind === 'run') {
          await write(decision.attempt, successorId)
          assert.equal(await attempt.complete(completionOf()), 'superseded')
          assert.equal(await decision.attempt.complete(completionOf()), 'stored')
        } else {
          // The row lock of its transaction holds the key for it beyond the lease.
          expectDecision(decision, 'in-progress')
          assert.equal(await attempt.complete(completionOf()), 'stored')
        }
        assert.notEqual(await written(id), await written(successorId))
      },
    },
    {
      title: 'a stale `release` does not free the key',
      needs: ['lease mode'],
      async run(context) {
        const { retry, begin } = context
        const { first, stale, owner } = await takenOver(context)
        await stale.release()
        expectDecision(await begin(retry(first)), 'in-progress')
        assert.equal(await owner.complete(completionOf({ response: ours })), 'stored')
        await stale.release()
        expectReplay(await begin(retry(first)), ours)
      },
    },
    {
      title: 'a stale `abandon` does not make the key unknown',
      needs: ['lease mode'],
      async run(context) {
        const { retry, begin } = context
        const { first, stale, owner } = await takenOver(context)
        await stale.abandon()
        expectDecision(await begin(retry(first, { whenUnknown: 'hold' })), 'in-progress')
        assert.equal(await owner.complete(completionOf({ response: ours })), 'stored')
        await stale.abandon()
        expectReplay(await begin(retry(first, { whenUnknown: 'hold' })), ours)
      },
    },
    {
      title: 'a stale `renew` answers `stale`',
      needs: ['lease mode'],
      async run(context) {
        const { stale, owner } = await takenOver(context)
        assert.equal(await stale.renew(60_000), 'stale')
        assert.equal(await owner.renew(60_000), 'held')
        await owner.complete(completionOf())
        assert.equal(await stale.renew(60_000), 'stale')
      },
    },
    {
      // idempotency4j: the old owner's heartbeat prolonged the new owner's lease.
      title: 'a stale `renew` does not prolong the lease of the attempt that took over',
      needs: ['lease mode'],
      async run(context) {
        const { claim, retry, run, lapse, shortLeaseMs } = context
        const first = claim({ leaseMs: shortLeaseMs })
        const stale = await run(first)
        await lapse(first)
        const second = retry(first, { leaseMs: shortLeaseMs })
        await run(second)
        assert.equal(await stale.renew(60 * 60 * 1000), 'stale')
        await lapse(second)
        assert.equal((await run(retry(first))).number, 3)
      },
    },
  ]
}

const ours = responseOf('by the attempt that took over')
const theirs = responseOf('by the attempt that was fenced off')

async function takenOver(
  context: StoreContext,
): Promise<{ first: Claim; stale: Attempt; owner: Attempt }> {
  const { claim, retry, run, lapse, shortLeaseMs } = context
  const first = claim({ leaseMs: shortLeaseMs })
  const stale = await run(first)
  await lapse(first)
  const owner = await run(retry(first))
  return { first, stale, owner }
}

/** A lease as short that began later: when it has run out, so have those from before. */
async function beside({ claim, run, shortLeaseMs }: StoreContext): Promise<Claim> {
  const control = claim({ leaseMs: shortLeaseMs })
  await run(control)
  return control
}

async function withSkewedClock(skewMs: number, act: () => Promise<void>): Promise<void> {
  const now = Date.now
  Date.now = () => now() + skewMs
  try {
    await act()
  } finally {
    Date.now = now
  }
}
