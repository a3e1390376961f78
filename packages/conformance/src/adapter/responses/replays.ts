import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectReplay } from '../site/adapter-context.ts'
import { type BodyCase, bodies, expectBody } from '../site/reply-bodies.ts'

/**
 * A repeated request after the first one finished: the same response, without running the handler.
 */
export function replays(): AdapterBehaviourGroup {
  return {
    title: 'a replay',
    behaviours: [
      ...bodies().map(replaysBody),
      ...[200, 201, 202, 204, 301, 303, 307, 400, 402, 404, 409, 418, 422].map(replaysStatus),
      {
        title: 'is sent for each of 1,000 retries, 50 at a time',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          for (let round = 0; round < 20; round += 1) {
            const retries = Array.from({ length: 50 }, () => site.post(key))
            for (const again of await Promise.all(retries)) expectReplay(again, first)
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'can be marked by a header of another name, or by several',
        async run({ serve, name }) {
          const site = await serve(() => created(), {
            options: { replayedHeader: ['Idempotent-Replayed', 'X-Again'] },
          })
          const key = name()
          const first = await site.post(key)
          const again = await site.post(key)
          for (const marker of ['idempotent-replayed', 'x-again'])
            expectReplay(again, first, marker)
          assert.equal(again.header('x-idempotency-replayed'), undefined)
        },
      },
      {
        title: 'is not influenced by a marker header from the client',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const headers = { 'X-Idempotency-Replayed': 'true', 'X-Hit': 'true' }
          const key = name()
          const first = await site.post(key, { headers })
          assert.equal(first.status, 201)
          expectReplay(await site.post(key, { headers }), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'repeats the original response, whatever the handler does to its objects afterwards',
        async run({ serve, name }) {
          const bytes = Buffer.from('as it was')
          const site = await serve(() => created({ body: { kind: 'bytes', bytes } }))
          const key = name()
          await site.post(key)
          bytes.fill(0)
          assert.equal((await site.post(key)).text, 'as it was')
        },
      },
      {
        title: 'leaves writes and events as they are',
        needs: ['transactions', 'events'],
        async run({ serve, name, fixture, written, committed }) {
          const [key, row, subject] = [name(), name(), name()]
          const site = await serve(async ({ context }) => {
            await fixture.write?.(await context.transaction(), row)
            context.emit({ type: 'order.created', subject })
            return created()
          })
          const first = await site.post(key)
          for (let n = 0; n < 3; n += 1) expectReplay(await site.post(key), first)
          assert.equal(await written(row), true)
          assert.deepEqual(await committed(subject), ['order.created'])
        },
      },
    ],
  }
}

function replaysBody({ what, reply, bytes }: BodyCase): AdapterBehaviour {
  return {
    title: `repeats ${what} byte by byte`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() => created(reply()))
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key)
      for (let n = 0; n < 2; n += 1) {
        const again = await site.post(key)
        expectReplay(again, first)
        expectBody(again, bytes)
        assert.equal(again.header('content-type'), first.header('content-type'))
      }
      assert.equal(runs(), 1)
    },
  }
}

function replaysStatus(status: number): AdapterBehaviour {
  return {
    title: `repeats status ${status}`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() => ({ status }))
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key)
      assert.equal(first.status, status)
      expectReplay(await site.post(key), first)
      assert.equal(runs(), 1)
    },
  }
}
