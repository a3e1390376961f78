import assert from 'node:assert/strict'
import type { Reconciliation, UnknownOutcome } from '@oncekey/core'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'

/**
 * Lease mode: an attempt ended without reporting its outcome, and a policy decides what a retry
 * gets.
 */
export function unknownOutcomes(): AdapterBehaviourGroup {
  const failsOnce = () => {
    const derived: string[] = []
    const { handler, runs } = counted(({ context }) => {
      derived.push(context.deriveKey('charge'))
      if (runs() === 1) throw new Error('crashed')
      return created({ headers: [['x-attempt', String(context.attempt)]] })
    })
    return { handler, runs, derived }
  }

  return {
    title: 'an outcome that is unknown',
    behaviours: [
      {
        title: 'is tried again by default, as attempt 2',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          const site = await serve(handler)
          const key = name()
          assert.equal((await site.post(key)).status, 500)
          const second = await site.post(key)
          assert.equal(second.header('x-attempt'), '2')
          expectReplay(await site.post(key), second)
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'is held with `hold`: 409 outcome-unknown, never a second run',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          const site = await serve(handler, { options: { whenUnknown: 'hold' } })
          const key = name()
          assert.equal((await site.post(key)).status, 500)
          for (let n = 0; n < 3; n += 1) {
            const held = await site.post(key)
            expectProblem(held, 409, 'outcome-unknown')
            assert.equal(held.json().retry, 'never')
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'answers another request with 422 key-reused',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          const site = await serve(handler, { options: { whenUnknown: 'hold' } })
          const key = name()
          await site.post(key)
          expectProblem(await site.post(key, { body: { amount: 2 } }), 422, 'key-reused')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is not one after release(): a retry runs as attempt 1',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = counted(({ context }) => {
            if (runs() > 1) return created({ headers: [['x-attempt', String(context.attempt)]] })
            context.release()
            throw new Error('refused by the gateway')
          })
          const site = await serve(handler, { options: { whenUnknown: 'hold' } })
          const key = name()
          await site.post(key)
          assert.equal((await site.post(key)).header('x-attempt'), '1')
        },
      },
      {
        title: 'is passed to a reconcile function with its key and derived keys',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs, derived } = failsOnce()
          const asked: unknown[] = []
          const namespace = name()
          const site = await serve(handler, {
            scope: () => 'ada',
            options: {
              namespace,
              whenUnknown(outcome: UnknownOutcome): Reconciliation {
                const { scope, key, since } = outcome
                asked.push([outcome.namespace, scope, key, since instanceof Date])
                asked.push(outcome.deriveKey('charge'))
                return 'retake'
              },
            },
          })
          const key = name()
          await site.post(key)
          assert.equal((await site.post(key)).header('x-attempt'), '2')
          assert.deepEqual(asked, [[namespace, 'ada', key, true], derived[0]])
          assert.equal(derived[0], derived[1])
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'is held if the reconcile function returns `hold`',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          const site = await serve(handler, {
            options: { whenUnknown: () => Promise.resolve('hold') },
          })
          const key = name()
          await site.post(key)
          for (let n = 0; n < 2; n += 1) {
            expectProblem(await site.post(key), 409, 'outcome-unknown')
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'becomes the response of the reconcile function, which is stored and replayed',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          let asked = 0
          const site = await serve(handler, {
            options: {
              whenUnknown() {
                asked += 1
                return {
                  status: 201,
                  headers: { Location: '/orders/7', 'Content-Type': 'application/json' },
                  body: '{"found":true}',
                }
              },
            },
          })
          const key = name()
          await site.post(key)
          for (let n = 0; n < 3; n += 1) {
            const found = await site.post(key)
            assert.equal(`${found.status} ${found.text}`, '201 {"found":true}')
            assert.equal(found.header('location'), '/orders/7')
          }
          assert.equal(asked, 1)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'stays unknown if the reconcile function throws: the app responds, nothing runs',
        needs: ['lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = failsOnce()
          const site = await serve(handler, {
            options: { whenUnknown: () => Promise.reject(new Error('gateway is away')) },
          })
          const key = name()
          await site.post(key)
          for (let n = 0; n < 2; n += 1) {
            const answer = await site.post(key)
            assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`)
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'does not exist in transaction mode: a failure leaves nothing, and a retry runs',
        needs: ['transaction mode'],
        async run({ serve, name }) {
          const { handler } = failsOnce()
          const site = await serve(handler, { options: { whenUnknown: 'hold' } })
          const key = name()
          await site.post(key)
          assert.equal((await site.post(key)).header('x-attempt'), '1')
        },
      },
    ],
  }
}
