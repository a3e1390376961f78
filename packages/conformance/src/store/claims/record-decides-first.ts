import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  countKinds,
  expectDecision,
  expectReplay,
  responseOf,
} from '../fixture/store-context.ts'

/** A finished key is decided by its record, however many claims arrive at once. */
export function recordDecidesFirst(): StoreBehaviourGroup {
  return {
    title: 'the record decides first',
    behaviours: [
      {
        title: 'a finished key answers `replay`, with the fingerprint it was claimed with',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          const decision = await begin(retry(first))
          expectReplay(decision, response)
          assert.equal(expectDecision(decision, 'replay').fingerprint, first.fingerprints[0])
        },
      },
      {
        // When the lock decided first, 976 of these 1,000 got `in-progress`.
        title: '1,000 retries of a finished key, fifty at a time, are 1,000 replays',
        async run({ claim, retry, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          for (let wave = 0; wave < 20; wave += 1) {
            const retries = Array.from({ length: 50 }, () => begin(retry(first)))
            for (const decision of await Promise.all(retries)) expectReplay(decision, response)
          }
        },
      },
      {
        title: 'a key that one instance finished is replayed by another',
        needs: ['another instance'],
        async run({ claim, retry, begin, finish, another }) {
          const first = claim()
          const response = await finish(first)
          const other = await another()
          const retries = Array.from({ length: 50 }, () => begin(retry(first), other))
          for (const decision of await Promise.all(retries)) expectReplay(decision, response)
        },
      },
      {
        // Laravel-idempotency: a request finished between the look-up and the lock ran again.
        title: 'a claim that races with the completion gets `in-progress` or `replay`, never `run`',
        async run({ claim, retry, begin, run }) {
          for (let race = 0; race < 20; race += 1) {
            const first = claim()
            const attempt = await run(first)
            const response = responseOf('the first')
            const early = Array.from({ length: 10 }, () => begin(retry(first)))
            const completing = attempt.complete(completionOf({ response }))
            const late = Array.from({ length: 10 }, () => begin(retry(first)))
            assert.equal(await completing, 'stored')
            for (const decision of await Promise.all([...early, ...late])) {
              if (decision.kind !== 'in-progress') expectReplay(decision, response)
            }
            expectReplay(await begin(retry(first)), response)
          }
        },
      },
      {
        title: 'a finished key answers `replay` and `mismatch` side by side',
        async run({ claim, retry, otherRequest, begin, finish }) {
          const first = claim()
          await finish(first)
          const decisions = await Promise.all(
            Array.from({ length: 50 }, (_, index) =>
              begin(index % 2 === 0 ? retry(first) : otherRequest(first)),
            ),
          )
          assert.deepEqual(countKinds(decisions), { replay: 25, mismatch: 25 })
        },
      },
    ],
  }
}
