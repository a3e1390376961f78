import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
} from '../fixture/store-context.ts'

/** The attempt completed, but its response is no longer stored, or never was. */
export function resultGone(): StoreBehaviourGroup {
  return {
    title: 'a result that is gone',
    behaviours: [
      {
        title: 'is `result-gone` for every claim, never a second run',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          await finish(first, { response: responseOf('', { body: null }) })
          const claims = Array.from({ length: 50 }, () => begin(retry(first)))
          assert.deepEqual(countKinds(await Promise.all(claims)), { 'result-gone': 50 })
        },
      },
      {
        title: 'is `mismatch` for another request',
        async run({ claim, otherRequest, begin, finish }) {
          const first = claim()
          await finish(first, { response: responseOf('', { body: null }) })
          expectDecision(await begin(otherRequest(first)), 'mismatch')
        },
      },
      {
        title: 'is the decision for a waiting claim, too',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const waiter = begin(retry(first, { waitMs: 30_000 }))
          await attempt.complete(completionOf({ response: responseOf('', { body: null }) }))
          expectDecision(await waiter, 'result-gone')
        },
      },
      {
        title: 'results when a response is past its retention: its key is remembered',
        needs: ['expiring results'],
        async run({ claim, retry, otherRequest, begin, finish, fixture }) {
          const first = claim()
          await finish(first)
          await fixture.expireResults?.()
          expectDecision(await begin(retry(first)), 'result-gone')
          expectDecision(await begin(otherRequest(first)), 'mismatch')
          const later = claim()
          const response = await finish(later)
          expectReplay(await begin(retry(later)), response)
        },
      },
      {
        // hono-idempotency on D1: the record was expired for reads but present for inserts, so the
        // key was blocked for good.
        title: 'a key past its retention runs again as attempt number 1, purged or not',
        needs: ['expiring keys'],
        async run({ claim, retry, otherRequest, begin, run, finish, fixture }) {
          const [first, second] = [claim(), claim()]
          await finish(first)
          await finish(second)
          await fixture.expireKeys?.()
          const attempt = await run(retry(first))
          assert.equal(attempt.number, 1)
          const response = responseOf('anew')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
          await run(otherRequest(second))
        },
      },
    ],
  }
}
