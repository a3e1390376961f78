import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectDecision, expectReplay } from '../fixture/store-context.ts'

/** An attempt that ends without an outcome. */
export function abandon(): StoreBehaviourGroup {
  return {
    title: 'abandon',
    behaviours: [
      {
        title: 'in transaction mode frees the key at once: a retry runs as attempt number 1',
        needs: ['transaction mode'],
        async run({ claim, retry, run }) {
          const first = claim()
          await (await run(first)).abandon()
          assert.equal((await run(retry(first))).number, 1)
        },
      },
      {
        title: 'in transaction mode frees the key for a claim that would hold an unknown outcome',
        needs: ['transaction mode'],
        async run({ claim, retry, run }) {
          const first = claim({ whenUnknown: 'hold' })
          await (await run(first)).abandon()
          await run(retry(first))
        },
      },
      {
        title: 'in lease mode makes the key `unknown` at once, however long its lease',
        needs: ['lease mode'],
        async run({ claim, retry, run, begin }) {
          const first = claim()
          await (await run(first)).abandon()
          const held = await begin(retry(first, { whenUnknown: 'hold' }))
          const { since } = expectDecision(held, 'unknown')
          assert.ok(since instanceof Date && !Number.isNaN(since.getTime()))
        },
      },
      {
        title: 'in lease mode lets a claim that retakes run at once, as attempt number 2',
        needs: ['lease mode'],
        async run({ claim, retry, run }) {
          const first = claim()
          await (await run(first)).abandon()
          assert.equal((await run(retry(first))).number, 2)
        },
      },
      {
        title: 'of a completed attempt does nothing',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          const attempt = await run(first)
          const { response } = completionOf()
          await attempt.complete(completionOf({ response }))
          await attempt.abandon()
          expectReplay(await begin(retry(first, { whenUnknown: 'hold' })), response)
        },
      },
      {
        title: 'by an attempt that ended before does nothing to the one that has the key now',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          const before = await run(first)
          await before.abandon()
          const now = await run(retry(first))
          await before.abandon()
          expectDecision(await begin(retry(first, { whenUnknown: 'hold' })), 'in-progress')
          assert.equal(await now.complete(completionOf()), 'stored')
          await before.abandon()
          expectDecision(await begin(retry(first, { whenUnknown: 'hold' })), 'replay')
        },
      },
    ],
  }
}
