import assert from 'node:assert/strict'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, expectProblem } from '../site/adapter-context.ts'
import { pausingCommit, pausingHandler } from '../site/pauses.ts'
import { Untestable } from '../site/untestable.ts'

/** `drain()` before a shutdown: no new claims, running attempts finish. */
export function draining(): AdapterBehaviourGroup {
  return {
    title: 'a server that drains',
    behaviours: [
      {
        title:
          'lets running handlers finish, and takes no new request: 503 draining with Retry-After',
        async run({ serve, name }) {
          const { handler, runs, started, finish } = pausingHandler()
          const site = await serve(handler)
          const first = site.post(name())
          await started
          const drained = site.drain({ deadlineMs: 20_000 })
          const refused = await site.post(name())
          expectProblem(refused, 503, 'draining')
          assert.match(refused.header('retry-after') ?? '', /^[1-9]\d*$/)
          finish()
          assert.equal(await drained, 0)
          assert.equal((await first).status, 201)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'says how many handlers were still running at its deadline',
        async run({ serve, name }) {
          const { handler, started, finish } = pausingHandler()
          const site = await serve(handler)
          const first = site.post(name())
          await started
          assert.equal(await site.drain({ deadlineMs: 20 }), 1)
          finish()
          assert.equal((await first).status, 201)
          assert.equal(await site.drain(), 0)
        },
      },
      {
        title: 'refuses requests without a key, too',
        async run({ serve }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { required: false } })
          await site.drain()
          expectProblem(await site.post(undefined), 503, 'draining')
          assert.equal(runs(), 0)
        },
      },
      {
        title: 'sends a response that is being stored, although idle connections are closed',
        async run({ serve, name }) {
          const { faults, completing, commit } = pausingCommit()
          const { handler, runs } = counted()
          const site = await serve(handler, { faults })
          const { closeIdle } = site
          if (closeIdle === undefined) throw new Untestable('the site has no closeIdle()')
          const first = site.post(name())
          await completing
          closeIdle()
          commit()
          assert.equal((await first).status, 201)
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}
