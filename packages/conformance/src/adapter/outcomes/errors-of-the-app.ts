import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created } from '../site/adapter-context.ts'
import type { SiteHandler } from '../site/adapter-fixture.ts'

/**
 * The error of a failing handler takes the framework's own path, and the handler's work is undone.
 */
export function errorsOfTheApp(): AdapterBehaviourGroup {
  return {
    title: 'a handler that fails',
    behaviours: [
      fails('throws', () => {
        throw new Error('broken')
      }),
      fails('rejects', async () => {
        await new Promise((resolve) => setImmediate(resolve))
        throw new Error('broken')
      }),
      {
        // If it were sent, the client would wait for the final answer; if it were on record, so
        // would every retry.
        title: 'by a final status below 200 is answered 500, and a retry runs again',
        async run({ serve, name }) {
          const { handler, runs } = counted(() => (runs() === 1 ? { status: 103 } : created()))
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          assert.equal(first.status, 500)
          const again = await site.post(key)
          assert.equal(again.status, 201)
          assert.equal(again.header('x-idempotency-replayed'), undefined)
        },
      },
      {
        title: 'undoes its writes and events',
        needs: ['transactions', 'events'],
        async run({ serve, name, fixture, written, committed }) {
          const [row, subject] = [name(), name()]
          const site = await serve(async ({ context }) => {
            await fixture.write?.(await context.transaction(), row)
            context.emit({ type: 'order.created', subject })
            throw new Error('broken')
          })
          assert.equal((await site.post(name())).status, 500)
          assert.equal(await written(row), false)
          assert.deepEqual(await committed(subject), [])
        },
      },
    ],
  }
}

function fails(how: string, fail: SiteHandler): AdapterBehaviour {
  return {
    title: `because it ${how} is answered by the app, and a retry runs again`,
    async run({ serve, name, mode }) {
      const attempts: number[] = []
      const { handler, runs } = counted((call) => {
        attempts.push(call.context.attempt)
        return runs() === 1 ? fail(call) : created()
      })
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key)
      assert.equal(first.status, 500)
      assert.deepEqual(first.json(), { error: 'broken' })
      const again = await site.post(key)
      assert.equal(again.status, 201)
      assert.equal(again.header('x-idempotency-replayed'), undefined)
      assert.deepEqual(attempts, mode === 'lease' ? [1, 2] : [1, 1])
    },
  }
}
