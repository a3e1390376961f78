import assert from 'node:assert/strict'
import type { Attempt } from '@oncekey/core'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectReplay, responseOf } from '../fixture/store-context.ts'

/** An attempt ends exactly once; later calls change nothing. */
export function endsOnce(): StoreBehaviourGroup {
  return {
    title: 'an attempt',
    behaviours: [
      {
        title: 'ends with its first completion: a second one changes nothing',
        async run({ claim, retry, run, begin }) {
          const first = claim()
          const attempt = await run(first)
          const response = responseOf('the first')
          await attempt.complete(completionOf({ response }))
          // A store may recognise its own completion when it is sent again; this must be a
          // different one.
          await complete(attempt, 'the second')
          expectReplay(await begin(retry(first)), response)
        },
      },
      {
        title: 'ends with its release: a completion after it stores nothing',
        async run({ claim, retry, run }) {
          const first = claim()
          const attempt = await run(first)
          await attempt.release()
          assert.notEqual(await complete(attempt, 'too late'), 'stored')
          assert.equal((await run(retry(first))).number, 1)
        },
      },
      {
        title: 'ends when it is abandoned: a completion after it stores nothing',
        async run({ claim, retry, run }) {
          const first = claim()
          const attempt = await run(first)
          await attempt.abandon()
          assert.notEqual(await complete(attempt, 'too late'), 'stored')
          await run(retry(first))
        },
      },
      {
        title: 'may be released and abandoned again and again',
        async run({ claim, retry, run }) {
          const first = claim()
          const attempt = await run(first)
          await attempt.release()
          for (const end of ['release', 'abandon', 'release'] as const) await attempt[end]()
          await run(retry(first))
        },
      },
    ],
  }
}

/** The result, if there was one. */
async function complete(attempt: Attempt, text: string): Promise<string | undefined> {
  return attempt.complete(completionOf({ response: responseOf(text) })).catch(() => undefined)
}
