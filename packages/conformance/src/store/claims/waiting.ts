import assert from 'node:assert/strict'
import type { Claim, Decision } from '@oncekey/core'
import type { StoreBehaviour, StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** With `waitMs`, a claim that meets a running attempt waits for its end. */
export function waiting(): StoreBehaviourGroup {
  return {
    title: 'waiting',
    behaviours: [
      {
        title: 'ends with a replay when the attempt completes',
        async run(context) {
          const { claim, run } = context
          const first = claim()
          const attempt = await run(first)
          const waiters = await meetRunning(context, first, 3)
          const response = responseOf('worth the wait')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          for (const decision of await Promise.all(waiters)) expectReplay(decision, response)
        },
      },
      {
        title: 'ends with a replay when the attempt completes in another instance',
        needs: ['another instance'],
        async run(context) {
          const { claim, run, another } = context
          const first = claim()
          const attempt = await run(first, await another())
          const waiters = await meetRunning(context, first, 2)
          const response = responseOf('worth the wait')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          for (const decision of await Promise.all(waiters)) expectReplay(decision, response)
        },
      },
      {
        title: 'ends with `in-progress` when the time is up, and not before',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const startedAt = performance.now()
          expectDecision(await begin(retry(first, { waitMs: 600 })), 'in-progress')
          const waitedMs = performance.now() - startedAt
          assert.ok(waitedMs >= 550, `waited ${waitedMs} ms`)
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'does not happen with `waitMs: 0`: the decision comes while the attempt is running',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await run(first)
          expectDecision(await begin(retry(first)), 'in-progress')
        },
      },
      {
        title: 'does not happen for a finished key',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          expectReplay(await begin(retry(first, { waitMs: 60 * 60 * 1000 })), response)
        },
      },
      {
        // @node-idempotency: a waiter for a holder that had disappeared waited in vain.
        title: 'one waiter takes over when the attempt is released, the others wait on',
        run: (context) => oneTakesOver(context, 'release', 1),
      },
      {
        title: 'in transaction mode one waiter takes over when the attempt is abandoned',
        needs: ['transaction mode'],
        run: (context) => oneTakesOver(context, 'abandon', 1),
      },
      {
        title: 'in lease mode one waiter takes over when the attempt is abandoned',
        needs: ['lease mode'],
        run: (context) => oneTakesOver(context, 'abandon', 2),
      },
      {
        title: 'in lease mode one waiter takes over when the lease runs out',
        needs: ['lease mode'],
        async run(context) {
          const { claim, run, fixture } = context
          // A waiter may set a real timer for the end of the lease even if the store's clock can be
          // moved, so the lease is short then. Otherwise it must last until the waiters wait.
          const leaseMs = fixture.advance === undefined ? 1000 : 100
          const first = claim({ leaseMs })
          await run(first)
          const waiters = await meetRunning(context, first, 2)
          await fixture.advance?.(leaseMs + 1)
          await settleOneByOne(waiters, 2)
        },
      },
      {
        title: 'ends with `unknown` when the attempt is abandoned and the claim holds',
        needs: ['lease mode'],
        async run(context) {
          const { claim, run } = context
          const first = claim({ whenUnknown: 'hold' })
          const attempt = await run(first)
          const waiters = await meetRunning(context, first, 2)
          await attempt.abandon()
          assert.deepEqual(countKinds(await Promise.all(waiters)), { unknown: 2 })
        },
      },
      {
        title: 'for another request ends with `mismatch`, at the latest when the attempt completes',
        async run({ claim, otherRequest, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const waiter = begin({ ...otherRequest(first), waitMs: 30_000 })
          await attempt.complete(completionOf())
          expectDecision(await waiter, 'mismatch')
        },
      },
      {
        title: 'starves neither the running attempt nor others',
        needs: ['attempts side by side'],
        async run(context) {
          const { claim, run, finish, name, write, fixture } = context
          const first = claim()
          const attempt = await run(first)
          const waiters = await meetRunning(context, first, 4)
          await finish(claim())
          if (fixture.written !== undefined) await write(attempt, name())
          assert.equal(await attempt.complete(completionOf()), 'stored')
          assert.deepEqual(countKinds(await Promise.all(waiters)), { replay: 4 })
        },
      },
    ] satisfies StoreBehaviour[],
  }
}

/** Returns claims that wait: a claim made after them was decided, and they were not. */
async function meetRunning(
  { retry, begin }: StoreContext,
  first: Claim,
  count: number,
): Promise<Promise<Decision>[]> {
  const waiters = Array.from({ length: count }, () => begin(retry(first, { waitMs: 20_000 })))
  expectDecision(await begin(retry(first)), 'in-progress')
  return waiters
}

async function oneTakesOver(
  context: StoreContext,
  end: 'release' | 'abandon',
  number: number,
): Promise<void> {
  const { claim, run } = context
  const first = claim()
  const attempt = await run(first)
  const waiters = await meetRunning(context, first, 3)
  await attempt[end]()
  await settleOneByOne(waiters, number)
}

/** One of the waiting claims runs; when it has completed, the others get its response. */
async function settleOneByOne(waiters: Promise<Decision>[], number: number): Promise<void> {
  const decision = await Promise.race(waiters)
  const { attempt } = expectDecision(decision, 'run')
  assert.equal(attempt.number, number)
  const response = responseOf('by the one that waited')
  assert.equal(await attempt.complete(completionOf({ response })), 'stored')
  const decisions = await Promise.all(waiters)
  for (const other of decisions) if (other !== decision) expectReplay(other, response)
  assert.equal(decisions.length, new Set(decisions).size)
}
