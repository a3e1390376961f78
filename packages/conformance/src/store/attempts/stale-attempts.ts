import assert from 'node:assert/strict'
import type { Attempt, Claim } from '@oncekey/core'
import type { StoreBehaviour } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/** An attempt can do nothing to a key that another attempt has taken over. */
export function staleAttempts(): StoreBehaviour[] {
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
        // Either the transaction or its commit may be refused.
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
        // Not checked by claiming this key, because that may wait for the transaction's row lock.
        await lapse(await beside(context))
        const decision = await begin(retry(first))
        if (decision.kind === 'run') {
          await write(decision.attempt, successorId)
          assert.equal(await attempt.complete(completionOf()), 'superseded')
          assert.equal(await decision.attempt.complete(completionOf()), 'stored')
        } else {
          // The row lock of its transaction holds the key beyond the lease.
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
      // As in idempotency4j, a library for Java: the old owner's heartbeat extended the new owner's
      // lease.
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

/** An equally short lease that began later: when it has run out, so have the earlier ones. */
async function beside({ claim, run, shortLeaseMs }: StoreContext): Promise<Claim> {
  const control = claim({ leaseMs: shortLeaseMs })
  await run(control)
  return control
}
