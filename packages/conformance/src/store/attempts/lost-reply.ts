import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectDecision, expectReplay, responseOf } from '../fixture/store-context.ts'

/** A claim repeated with its token, because its reply was lost. */
export function lostReply(): StoreBehaviourGroup {
  return {
    title: 'a claim sent again with its own token',
    behaviours: [
      {
        // idempot-js: the repeated insert found its own row, and the key was blocked for a day.
        title: 'in lease mode gets `run` again, with the same attempt number',
        needs: ['lease mode'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          assert.equal((await run(first)).number, 1)
          const again = await run(first)
          assert.equal(again.number, 1)
          const response = responseOf('once')
          assert.equal(await again.complete(completionOf({ response })), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'in lease mode gets `run` again from another instance',
        needs: ['lease mode', 'another instance'],
        async run({ claim, retry, begin, run, another }) {
          const first = claim()
          await run(first)
          const again = await run(first, await another())
          assert.equal(again.number, 1)
          expectDecision(await begin(retry(first)), 'in-progress')
          assert.equal(await again.complete(completionOf()), 'stored')
        },
      },
      {
        title:
          'in lease mode is told `stored` when its completion is sent again, and changes nothing',
        needs: ['lease mode', 'another instance'],
        async run({ claim, retry, begin, run, another }) {
          const first = claim()
          const attempt = await run(first)
          const again = await run(first, await another())
          const response = responseOf('as it was sent')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          const late = completionOf({ response: responseOf('as it was sent again') })
          assert.equal(await again.complete(late), 'stored')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        // The transaction of a lost claim may be gone already, or its end may not have been noticed
        // yet.
        title: 'in transaction mode gets `run` again or `in-progress`, never a second attempt',
        needs: ['transaction mode', 'attempts side by side'],
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const again = await begin(first)
          if (again.kind === 'run') assert.equal(again.attempt.number, 1)
          else expectDecision(again, 'in-progress')
          const response = responseOf('once')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          if (again.kind === 'run') {
            const other = completionOf({ response: responseOf('twice') })
            await again.attempt.complete(other).catch(() => {})
          }
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'gets `replay` once its attempt has completed',
        async run({ claim, begin, finish }) {
          const first = claim()
          const response = await finish(first)
          expectReplay(await begin(first), response)
        },
      },
      {
        // In lease mode it gets nothing: see `unansweredClaim`.
        title: 'in transaction mode gets `run` again after its attempt was released',
        needs: ['transaction mode'],
        async run({ claim, run }) {
          const first = claim()
          await (await run(first)).release()
          assert.equal((await run(first)).number, 1)
        },
      },
      {
        title: 'has one attempt even when both are in flight at once',
        async run({ claim, retry, begin }) {
          const first = claim()
          const decisions = await Promise.all([begin(first), begin(first)])
          const attempts = decisions.flatMap((decision) =>
            decision.kind === 'run' ? [decision.attempt] : [],
          )
          assert.ok(attempts.length > 0, 'one of them runs')
          const [response, other] = [responseOf('once'), responseOf('twice')]
          assert.equal(await attempts[0]?.complete(completionOf({ response })), 'stored')
          await attempts[1]?.complete(completionOf({ response: other })).catch(() => {})
          expectReplay(await begin(retry(first)), response)
        },
      },
    ],
  }
}
