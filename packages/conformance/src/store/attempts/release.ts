import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectDecision, expectReplay } from '../fixture/store-context.ts'

/** Nothing happened outside: the claim is forgotten, and a retry runs again. */
export function release(): StoreBehaviourGroup {
  return {
    title: 'release',
    behaviours: [
      {
        title: 'forgets the claim, so that a retry runs again as attempt number 1',
        async run({ claim, retry, run }) {
          const first = claim()
          await (await run(first)).release()
          assert.equal((await run(retry(first))).number, 1)
        },
      },
      {
        title: 'forgets the request: another one may take the key',
        async run({ claim, otherRequest, run }) {
          const first = claim()
          await (await run(first)).release()
          await run(otherRequest(first))
        },
      },
      {
        title: 'frees the key for one of a hundred claims',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          await (await run(first)).release()
          const claims = Array.from({ length: 100 }, () => begin(retry(first)))
          const won = (await Promise.all(claims)).filter(({ kind }) => kind === 'run')
          assert.equal(won.length, 1)
        },
      },
      {
        title: 'of a completed attempt does nothing',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          const attempt = await run(first)
          const { response } = completionOf()
          await attempt.complete(completionOf({ response }))
          await attempt.release()
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        // quarkus-http-idempotency and others: a release that deletes by key, whoever owns it.
        title: 'by an attempt that ended before does nothing to the one that has the key now',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          const before = await run(first)
          await before.release()
          const now = await run(retry(first))
          await before.release()
          expectDecision(await begin(retry(first)), 'in-progress')
          assert.equal(await now.complete(completionOf()), 'stored')
          await before.release()
          expectDecision(await begin(retry(first)), 'replay')
        },
      },
    ],
  }
}
