import assert from 'node:assert/strict'
import { OncekeyError } from '@oncekey/core'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'
import { lostWith } from '../site/faulty-store.ts'

/** `required: false`: handler code never needs to check whether there is a key. */
export function optionalKeys(): AdapterBehaviourGroup {
  return {
    title: 'a route that does not require a key',
    behaviours: [
      {
        title: 'runs the handler for every request without one',
        async run({ serve }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { required: false } })
          for (let n = 0; n < 3; n += 1) {
            const answer = await site.post(undefined)
            assert.equal(answer.status, 201)
            assert.equal(answer.text, '{"id":"order-1"}')
            assert.equal(answer.header('x-idempotency-replayed'), undefined)
          }
          assert.equal(runs(), 3)
        },
      },
      {
        title: 'still replays where a key came, and still refuses one that is malformed',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { required: false } })
          const key = name()
          const first = await site.post(key)
          expectReplay(await site.post(key), first)
          expectProblem(await site.post('"'), 400, 'key-invalid')
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'gives the handler the same context without a key: attempt 1, derived keys, a signal',
        async run({ serve }) {
          const seen: unknown[] = []
          const site = await serve(
            ({ context }) => {
              const { key, attempt, signal } = context
              seen.push(key, attempt, signal.aborted)
              const [one, same, other] = ['a', 'a', 'b'].map((label) => context.deriveKey(label))
              seen.push(one === same, one === other)
              context.keep()
              return created()
            },
            { options: { required: false } },
          )
          assert.equal((await site.post(undefined)).status, 201)
          assert.deepEqual(seen, [undefined, 1, false, true, false])
        },
      },
      {
        title: 'commits writes and events of a success without a key',
        needs: ['transactions', 'events'],
        async run({ serve, name, fixture, written, committed }) {
          const [row, subject] = [name(), name()]
          const site = await serve(
            async ({ context }) => {
              await fixture.write?.(await context.transaction(), row)
              context.emit({ type: 'order.created', subject })
              return created()
            },
            { options: { required: false } },
          )
          assert.equal((await site.post(undefined)).status, 201)
          assert.equal(await written(row), true)
          assert.deepEqual(await committed(subject), ['order.created'])
        },
      },
      {
        title: 'undoes writes and events of a failure without a key',
        needs: ['transactions', 'events'],
        async run({ serve, name, fixture, written, committed }) {
          const [row, subject] = [name(), name()]
          const site = await serve(
            async ({ context }) => {
              await fixture.write?.(await context.transaction(), row)
              context.emit({ type: 'order.created', subject })
              return { status: 422 }
            },
            { options: { required: false } },
          )
          assert.equal((await site.post(undefined)).status, 422)
          assert.equal(await written(row), false)
          assert.deepEqual(await committed(subject), [])
        },
      },
      {
        title:
          'is not to be sent again without a key if its outcome is open: `never`, no Retry-After',
        async run({ serve }) {
          const site = await serve(() => created(), {
            options: { required: false },
            faults: { complete: lostWith(new OncekeyError('store-unavailable', 'gone')) },
          })
          const answer = await site.post(undefined)
          expectProblem(answer, 503, 'commit-failed')
          assert.equal(answer.json().retry, 'never')
          assert.equal(answer.header('retry-after'), undefined)
        },
      },
      {
        title: 'answers 503 when the store fails, also without a key, and does not run the handler',
        async run({ serve }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            options: { required: false },
            faults: { open: () => Promise.reject(new Error('connection refused')) },
          })
          expectProblem(await site.post(undefined), 503, 'store-unavailable')
          assert.equal(runs(), 0)
        },
      },
    ],
  }
}
