import assert from 'node:assert/strict'
import type { StoreBehaviourGroup } from '../fixture/store-behaviour.ts'
import { completionOf, expectDecision, expectReplay, responseOf } from '../fixture/store-context.ts'

/** The signal of a claim aborts when nobody waits for its decision any more. */
export function abort(): StoreBehaviourGroup {
  return {
    title: 'an aborted claim',
    behaviours: [
      {
        title: 'stops waiting, with `in-progress`',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const caller = new AbortController()
          const waiter = begin(retry(first, { waitMs: 60 * 60 * 1000, signal: caller.signal }))
          expectDecision(await begin(retry(first)), 'in-progress')
          caller.abort()
          expectDecision(await waiter, 'in-progress')
          assert.equal(await attempt.complete(completionOf()), 'stored')
        },
      },
      {
        title: 'that was waiting does not win the key when it becomes free',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          const attempt = await run(first)
          const caller = new AbortController()
          const waiter = begin(retry(first, { waitMs: 60_000, signal: caller.signal }))
          expectDecision(await begin(retry(first)), 'in-progress')
          caller.abort()
          await attempt.release()
          expectDecision(await waiter, 'in-progress')
          await run(retry(first))
        },
      },
      {
        title: 'that was aborted before it was made does not wait',
        async run({ claim, retry, begin, run }) {
          const first = claim()
          await run(first)
          const late = retry(first, { waitMs: 60 * 60 * 1000, signal: AbortSignal.abort() })
          expectDecision(await begin(late), 'in-progress')
        },
      },
      {
        title: 'leaves a free key free, or keeps the attempt that it won',
        async run({ claim, retry, begin, run }) {
          const first = claim({ signal: AbortSignal.abort() })
          const decision = await begin(first).catch(() => undefined)
          if (decision?.kind === 'run') await decision.attempt.release()
          await run(retry(first, { signal: new AbortController().signal }))
        },
      },
      {
        // dotnet-starter-kit#1333: a client's hang-up discarded the result.
        title: 'does not end the attempt it won: its result is kept',
        async run({ claim, retry, begin, run }) {
          const caller = new AbortController()
          const first = claim({ signal: caller.signal })
          const attempt = await run(first)
          caller.abort()
          const response = responseOf('finished all the same')
          assert.equal(await attempt.complete(completionOf({ response })), 'stored')
          const { signal } = new AbortController()
          expectReplay(await begin(retry(first, { signal })), response)
        },
      },
    ],
  }
}
