import assert from 'node:assert/strict'
import type { Claim } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
} from '../fixture/store-context.ts'
import { staleAttempts } from './stale-attempts.ts'

/** Lease mode: an attempt owns its key for a time, and its token fences every write it makes. */
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
        // Stores that had one lifetime for leases and results blocked the key of a crashed request
        // for a day or more.
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
        title:
          'the attempt reports when its claim was sent, by this process’s clock and after any wait',
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
        title: '`renew` returns `held` and extends the lease, counted from now',
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
      ...staleAttempts(),
    ],
  }
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
