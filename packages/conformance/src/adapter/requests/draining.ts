import assert from 'node:assert/strict'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, door, expectProblem } from '../site/adapter-context.ts'
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
          const [started, finish] = [door(), door()]
          const { handler, runs } = counted(async () => {
            started.open()
            await finish.opened
            return created()
          })
          const site = await serve(handler)
          const first = site.post(name())
          await started.opened
          const drained = site.drain({ deadlineMs: 20_000 })
          const refused = await site.post(name())
          expectProblem(refused, 503, 'draining')
          assert.match(refused.header('retry-after') ?? '', /^[1-9]\d*$/)
          finish.open()
          assert.equal(await drained, 0)
          assert.equal((await first).status, 201)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'says how many handlers were still running at its deadline',
        async run({ serve, name }) {
          const [started, finish] = [door(), door()]
          const site = await serve(async () => {
            started.open()
            await finish.opened
            return created()
          })
          const first = site.post(name())
          await started.opened
          assert.equal(await site.drain({ deadlineMs: 20 }), 1)
          finish.open()
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
          const [completing, commit] = [door(), door()]
          const { handler, runs } = counted()
          const site = await serve(handler, {
            faults: {
              async complete(complete) {
                completing.open()
                await commit.opened
                return complete()
              },
            },
          })
          const { closeIdle } = site
          if (closeIdle === undefined) throw new Untestable('the site has no closeIdle()')
          const first = site.post(name())
          await completing.opened
          closeIdle()
          commit.open()
          assert.equal((await first).status, 201)
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}
