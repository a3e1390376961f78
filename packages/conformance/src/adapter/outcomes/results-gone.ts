import assert from 'node:assert/strict'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, expectProblem } from '../site/adapter-context.ts'

/** A key is remembered longer than its response. */
export function resultsGone(): AdapterBehaviourGroup {
  return {
    title: 'a key whose result is no longer kept',
    behaviours: [
      {
        title: 'answers 410 result-gone, and never runs again',
        needs: ['expiring results'],
        async run({ serve, name, fixture }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          await site.post(key)
          await fixture.expireResults?.()
          for (let n = 0; n < 3; n += 1) {
            const gone = await site.post(key)
            expectProblem(gone, 410, 'result-gone')
            assert.equal(gone.json().retry, 'never')
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'still refuses another request: 422 key-reused',
        needs: ['expiring results'],
        async run({ serve, name, fixture }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          await site.post(key)
          await fixture.expireResults?.()
          expectProblem(await site.post(key, { body: { amount: 2 } }), 422, 'key-reused')
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}
