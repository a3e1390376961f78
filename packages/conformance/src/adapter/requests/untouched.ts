import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'

/** Methods that are not covered. POST and PATCH are, unless configured otherwise. */
export function untouched(): AdapterBehaviourGroup {
  return {
    title: 'methods',
    behaviours: [
      ...['GET', 'PUT', 'DELETE'].map(passes),
      {
        title: 'PATCH is covered as POST is',
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { routes: [{ method: 'PATCH', path, handler }] })
          const key = name()
          expectProblem(await site.post(undefined, { method: 'PATCH' }), 400, 'key-missing')
          const first = await site.post(key, { method: 'PATCH' })
          expectReplay(await site.post(key, { method: 'PATCH' }), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: '`methods` says which are covered',
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            options: { methods: ['put'] },
            routes: ['PUT', 'POST'].map((method) => ({ method, path, handler })),
          })
          const key = name()
          const first = await site.post(key, { method: 'PUT' })
          expectReplay(await site.post(key, { method: 'PUT' }), first)
          await site.post(key)
          await site.post(key)
          assert.equal(runs(), 3)
        },
      },
    ],
  }
}

function passes(method: string): AdapterBehaviour {
  return {
    title: `${method} is untouched: no key is asked for, none is looked at, nothing is kept`,
    async run({ serve, name, path }) {
      let asked = 0
      const codes = new Set<unknown>()
      const { handler, runs } = counted((call) => {
        try {
          void call.context.key
        } catch (error) {
          codes.add((error as { code?: unknown }).code)
        }
        return created()
      })
      const site = await serve(handler, {
        routes: [{ method, path, handler }],
        faults: {
          begin(begin) {
            asked += 1
            return begin()
          },
        },
      })
      const key = name()
      for (const sent of [undefined, key, key, '"']) {
        const answer = await site.post(sent, { method })
        assert.equal(answer.status, 201)
        assert.equal(answer.header('x-idempotency-replayed'), undefined)
      }
      assert.equal(runs(), 4)
      assert.equal(asked, 0, 'the store was asked')
      assert.deepEqual([...codes], ['not-covered'], 'what the context says where it is not')
    },
  }
}
