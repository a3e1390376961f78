import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectReplay,
  fingerprintOf,
  responseOf,
} from '../fixture/store-context.ts'

/** The same key with another request is a `mismatch`, which never changes the record. */
export function mismatch(): StoreBehaviourGroup {
  return {
    title: 'mismatch',
    behaviours: [
      {
        title: 'a finished key answers `mismatch` to another request',
        async run({ claim, otherRequest, begin, finish }) {
          const first = claim()
          await finish(first)
          expectDecision(await begin(otherRequest(first)), 'mismatch')
        },
      },
      {
        // @node-idempotency/fastify: the 422 replaced the stored success.
        title: '`mismatch` does not change the record',
        async run({ claim, retry, otherRequest, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          for (let again = 0; again < 3; again += 1) {
            expectDecision(await begin(otherRequest(first)), 'mismatch')
          }
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'another request never runs beside a running attempt, and does not end it',
        async run({ claim, retry, otherRequest, begin, run, store }) {
          const first = claim()
          const attempt = await run(first)
          const { kind } = await begin(otherRequest(first))
          // In transaction mode the running request may be invisible until it commits.
          const allowed = ['mismatch']
          if (store.capabilities.mode === 'transaction') allowed.push('in-progress')
          assert.ok(allowed.includes(kind), `the answer is \`${kind}\``)
          const response = responseOf('the first')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        // @node-idempotency/fastify: a duplicate's 409 was stored and replayed to the next one.
        title: '`in-progress` does not change the record either',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          expectDecision(await begin(retry(first)), 'in-progress')
          const response = responseOf('the first')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'a record made under an older algorithm matches by its own fingerprint',
        async run({ claim, retry, begin, finish }) {
          const old = fingerprintOf('a request', 'json0')
          const first = claim({ fingerprints: [old] })
          const response = await finish(first)
          const decision = await begin(
            retry(first, { fingerprints: [fingerprintOf('a request', 'json1'), old] }),
          )
          expectReplay(decision, response)
          assert.equal(expectDecision(decision, 'replay').fingerprint, old)
        },
      },
      {
        title: 'a record is made under the current algorithm',
        async run({ claim, retry, begin, finish }) {
          const current = fingerprintOf('a request', 'json1')
          const old = fingerprintOf('a request', 'json0')
          const first = claim({ fingerprints: [current, old] })
          const response = await finish(first)
          expectReplay(await begin(retry(first, { fingerprints: [current] })), response)
          expectDecision(await begin(retry(first, { fingerprints: [old] })), 'mismatch')
        },
      },
      {
        title: 'a key whose outcome is unknown answers `mismatch` to another request',
        needs: ['lease mode'],
        async run({ claim, retry, otherRequest, begin, run }) {
          const first = claim()
          await (await run(first)).abandon()
          expectDecision(await begin(otherRequest(first)), 'mismatch')
          expectDecision(await begin(retry(first, { whenUnknown: 'hold' })), 'unknown')
        },
      },
    ],
  }
}
