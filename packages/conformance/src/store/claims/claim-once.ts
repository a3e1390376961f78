import assert from 'node:assert/strict'
import type { Decision } from '@oncekey/core'
import { eventually } from '../../behaviour/eventually.ts'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
} from '../fixture/store-context.ts'

/** Of any number of concurrent claims on one key at most one gets `run`. */
export function claimOnce(): StoreBehaviourGroup {
  return {
    title: 'claims',
    behaviours: [
      {
        title: 'the first claim on a key gets `run`, with attempt number 1',
        async run({ run, claim }) {
          assert.equal((await run(claim())).number, 1)
        },
      },
      {
        title: 'of 100 concurrent claims on one key one gets `run`, the others `in-progress`',
        async run({ claim, retry, begin }) {
          const first = claim()
          const claims = Array.from({ length: 100 }, () => retry(first))
          const decisions = await Promise.all(claims.map((each) => begin(each)))
          assert.deepEqual(countKinds(decisions), { run: 1, 'in-progress': 99 })
        },
      },
      {
        title: 'of 100 concurrent claims through two instances one gets `run`',
        needs: ['another instance'],
        async run({ store, another, claim, retry, begin }) {
          const stores = [store, await another()]
          const first = claim()
          const decisions = await Promise.all(
            Array.from({ length: 100 }, (_, index) => begin(retry(first), stores[index % 2])),
          )
          assert.deepEqual(countKinds(decisions), { run: 1, 'in-progress': 99 })
        },
      },
      {
        title: 'at most one gets `run`, in every repetition of the race',
        async run({ claim, retry, begin }) {
          for (let race = 0; race < 20; race += 1) {
            const first = claim()
            const claims = Array.from({ length: 10 }, () => retry(first))
            const decisions = await Promise.all(claims.map((each) => begin(each)))
            assert.deepEqual(countKinds(decisions), { run: 1, 'in-progress': 9 })
            for (const decision of decisions) {
              if (decision.kind === 'run') await decision.attempt.release()
            }
          }
        },
      },
      {
        title: 'fifty clients that retry until they succeed cause one effect',
        async run({ claim, retry, begin }) {
          const first = claim()
          const response = responseOf('the one')
          let attempts = 0
          let effects = 0
          const client = (): Promise<Decision> =>
            eventually('an answer', async () => {
              const decision = await begin(retry(first))
              if (decision.kind === 'replay') return decision
              if (decision.kind !== 'run') {
                expectDecision(decision, 'in-progress')
                return undefined
              }
              attempts += 1
              // The first attempts fail, which frees the key for any client.
              if (attempts <= 3) {
                await decision.attempt.release()
                return undefined
              }
              if ((await decision.attempt.complete(completionOf({ response }))) === 'stored') {
                effects += 1
              }
              return undefined
            })
          const answers = await Promise.all(Array.from({ length: 50 }, client))
          assert.equal(effects, 1)
          for (const answer of answers) expectReplay(answer, response)
        },
      },
      {
        title: '`in-progress` includes when to retry',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await run(first)
          const { retryAfterMs } = expectDecision(await begin(retry(first)), 'in-progress')
          assert.ok(Number.isFinite(retryAfterMs) && retryAfterMs > 0, `${retryAfterMs} ms`)
        },
      },
      {
        // idempo's memory lock: a rejected duplicate removed the winner's mark.
        title: 'a claim that was turned away leaves the running attempt its key',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          for (let again = 0; again < 3; again += 1) {
            expectDecision(await begin(retry(first)), 'in-progress')
          }
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'attempts on different keys run side by side',
        needs: ['attempts side by side'],
        async run({ claim, run }) {
          const attempts = await Promise.all([1, 2, 3, 4].map(() => run(claim())))
          const outcomes = await Promise.all(
            attempts.map((attempt) => attempt.complete(completionOf())),
          )
          assert.deepEqual(new Set(outcomes), new Set(['stored']))
        },
      },
      {
        // idempot-js: equal bodies under different keys conflicted for a day.
        title: 'the same request under another key is another request',
        async run({ claim, run, finish }) {
          const first = claim()
          await finish(first)
          await run(claim({ fingerprints: first.fingerprints }))
        },
      },
    ],
  }
}
