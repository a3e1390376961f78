import assert from 'node:assert/strict'
import type { Claim } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** Lease mode: what a claim gets when an attempt ended without reporting its outcome. */
export function unknownOutcome(): StoreBehaviourGroup {
  return {
    title: 'an unknown outcome',
    behaviours: [
      {
        title: 'results from a lease that ran out, with the time',
        needs: ['lease mode'],
        async run(context) {
          const { claim, run, lapse, shortLeaseMs } = context
          const first = claim({ leaseMs: shortLeaseMs })
          await run(first)
          await lapse(first)
          const { since } = await heldBy(context, first)
          assert.ok(since instanceof Date && !Number.isNaN(since.getTime()))
        },
      },
      {
        title: 'is held for every claim with `hold`',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await (await run(first)).abandon()
          const held = Array.from({ length: 50 }, () =>
            begin(retry(first, { whenUnknown: 'hold' })),
          )
          assert.deepEqual(countKinds(await Promise.all(held)), { unknown: 50 })
        },
      },
      {
        title: 'is retaken by one of the claims that retake, with the next attempt number',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await (await run(first)).abandon()
          await begin(retry(first, { whenUnknown: 'hold' }))
          const decisions = await Promise.all(
            Array.from({ length: 20 }, () => begin(retry(first, { whenUnknown: 'retake' }))),
          )
          assert.deepEqual(countKinds(decisions), { run: 1, 'in-progress': 19 })
          for (const decision of decisions) {
            if (decision.kind === 'run') assert.equal(decision.attempt.number, 2)
          }
        },
      },
      {
        title: 'is retaken only from the attempt that the claim names',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await (await run(first)).abandon()
          const hold = () => begin(retry(first, { whenUnknown: 'hold' }))
          const { attempt: retakes } = expectDecision(await hold(), 'unknown')
          assert.equal(expectDecision(await hold(), 'unknown').attempt, retakes, 'the same name')
          // Another process takes the key over, and the outcome of its attempt is unknown as well.
          await (await run(retry(first, { retakes }))).abandon()
          const late = expectDecision(await begin(retry(first, { retakes })), 'unknown')
          assert.notEqual(late.attempt, retakes, 'another name')
          const next = await run(retry(first, { retakes: late.attempt }))
          assert.equal(next.number, 3)
        },
      },
      {
        title: 'has a name that no attempt has after a release, when the numbers begin again',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, begin, run, lapse, shortLeaseMs } = context
          const first = claim({ leaseMs: shortLeaseMs })
          await run(first)
          await lapse(first)
          const { attempt: retakes } = await heldBy(context, first)
          await (await run(retry(first))).release()
          const again = await run(retry(first))
          assert.equal(again.number, 1)
          await again.abandon()
          const late = expectDecision(await begin(retry(first, { retakes })), 'unknown')
          assert.notEqual(late.attempt, retakes, 'another name')
        },
      },
      {
        title: 'that is known by now is told to a claim that names its attempt',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, begin, run, finish } = context
          const first = claim()
          await (await run(first)).abandon()
          const { attempt: retakes } = await heldBy(context, first)
          const response = await finish(retry(first))
          expectReplay(await begin(retry(first, { retakes })), response)
        },
      },
      {
        title: 'once retaken, can no longer be resolved by the abandoned attempt',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const before = await run(first)
          await before.abandon()
          const now = await run(retry(first))
          const late = completionOf({ response: responseOf('too late') })
          assert.notEqual(await before.complete(late).catch(() => 'thrown'), 'stored')
          const response = responseOf('by the second attempt')
          assert.equal(await now.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'that was only reported can still be resolved by its attempt',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, begin, run, lapse, shortLeaseMs } = context
          const first = claim({ leaseMs: shortLeaseMs })
          const attempt = await run(first)
          await lapse(first)
          await heldBy(context, first)
          const response = responseOf('after all')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first, { whenUnknown: 'hold' })), response)
        },
      },
      {
        title: 'is forgotten when the attempt that retook it is released',
        needs: ['lease mode'],
        async run(context) {
          const { claim, retry, run } = context
          const first = claim()
          await (await run(first)).abandon()
          const { attempt: retakes } = await heldBy(context, first)
          await (await run(retry(first))).release()
          const next = await run(retry(first, { whenUnknown: 'hold' }))
          assert.equal(next.number, 1)
          await next.release()
          assert.equal((await run(retry(first, { retakes }))).number, 1, 'it is free for all')
        },
      },
    ],
  }
}

/** Claims with `hold`, and returns what is told of the attempt whose outcome is unknown. */
async function heldBy({ begin, retry }: StoreContext, first: Claim) {
  return expectDecision(await begin(retry(first, { whenUnknown: 'hold' })), 'unknown')
}
