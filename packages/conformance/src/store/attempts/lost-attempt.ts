import assert from 'node:assert/strict'
import type { Claim } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectError,
  expectReplay,
  responseOf,
  type StoreContext,
} from '../fixture/store-context.ts'

/**
 * A claim that is gone from the store while its handler runs, as after an asynchronous failover.
 */
export function lostAttempt(): StoreBehaviourGroup {
  const needs = ['lease mode', 'claims that are lost'] as const
  return {
    title: 'an attempt that the store has lost',
    behaviours: [
      {
        title: 'is stored when it completes',
        needs,
        async run(context) {
          const { first, attempt } = await lostBy(context)
          const response = responseOf('done')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await context.begin(context.retry(first)), response)
        },
      },
      {
        title: 'has its key again from the next renewal on',
        needs,
        async run(context) {
          const { first, attempt } = await lostBy(context)
          assert.equal(await attempt.renew(60_000), 'held')
          expectDecision(await context.begin(context.retry(first)), 'in-progress')
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'keeps its key if an earlier attempt had released that',
        needs,
        async run(context) {
          const released = async (earlier: Claim) => (await context.run(earlier)).release()
          const [renewed, completed] = [
            await lostBy(context, released),
            await lostBy(context, released),
          ]
          assert.equal(await renewed.attempt.renew(60_000), 'held')
          expectDecision(await context.begin(context.retry(renewed.first)), 'in-progress')
          const response = responseOf('done')
          assert.equal(await completed.attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await context.begin(context.retry(completed.first)), response)
        },
      },
      {
        title: 'gets its transaction',
        needs: [...needs, 'transactions'],
        async run(context) {
          const { attempt } = await lostBy(context)
          const id = context.name()
          await context.write(attempt, id)
          assert.equal(await attempt.complete(completionOf()), 'stored')
          assert.equal(await context.written(id), true)
        },
      },
      {
        title: 'is unknown when it is abandoned',
        needs,
        async run(context) {
          const { first, attempt } = await lostBy(context)
          await attempt.abandon()
          const held = context.retry(first, { whenUnknown: 'hold' })
          expectDecision(await context.begin(held), 'unknown')
        },
      },
      {
        title: 'is free when it is released, and stays so',
        needs,
        async run(context) {
          const { first, attempt } = await lostBy(context)
          await attempt.release()
          assert.equal(await attempt.renew(60_000), 'stale')
          assert.equal(await attempt.complete(completionOf()), 'superseded')
          await context.run(context.retry(first, { whenUnknown: 'hold' }))
        },
      },
      {
        title: 'stores nothing if another attempt has the key by now',
        needs,
        async run(context) {
          const { first, attempt } = await lostBy(context)
          const other = await context.run(context.retry(first))
          assert.equal(await attempt.renew(60_000), 'stale')
          assert.equal(await attempt.complete(completionOf()), 'superseded')
          const response = responseOf('by the other')
          assert.equal(await other.complete(completionOf({ response })), 'stored')
          expectReplay(await context.begin(context.retry(first)), response)
        },
      },
      {
        title: 'gets no transaction if another attempt has the key by now',
        needs: [...needs, 'transactions'],
        async run(context) {
          const { first, attempt } = await lostBy(context)
          await context.run(context.retry(first))
          await expectError('transaction-over', () => attempt.transaction())
        },
      },
    ],
  }
}

/** `before`: what became of the key before, by an earlier claim. */
async function lostBy(
  { fixture, claim, retry, run }: StoreContext,
  before?: (earlier: Claim) => Promise<void>,
) {
  assert.ok(fixture.lose)
  const earlier = claim()
  await before?.(earlier)
  const first = before === undefined ? earlier : retry(earlier)
  const attempt = await run(first)
  await fixture.lose(first)
  return { first, attempt }
}
