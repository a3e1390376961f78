import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created } from '../site/adapter-context.ts'
import { type BodyCase, bodies, expectBody } from '../site/reply-bodies.ts'

/** The first response: the handler's status, headers and bytes reach the client unchanged. */
export function firstAnswer(): AdapterBehaviourGroup {
  return {
    title: 'the first answer',
    behaviours: [
      ...bodies().map(arrives),
      {
        title: 'has the handler’s headers, several values apart, and no marker',
        async run({ serve, name }) {
          const headers = [
            ['location', '/orders/1'],
            ['etag', '"1"'],
            ['x-two', 'a'],
            ['x-two', 'b'],
            ['set-cookie', 'a=1; Path=/'],
            ['set-cookie', 'b=2'],
          ] as const
          const site = await serve(() => created({ headers }))
          const answer = await site.post(name())
          for (const name of ['location', 'etag', 'set-cookie']) {
            assert.deepEqual(
              answer.headers.filter(([other]) => other === name),
              headers.filter(([other]) => other === name),
            )
          }
          assert.equal(answer.header('x-two'), 'a, b')
          assert.equal(answer.header('x-idempotency-replayed'), undefined)
        },
      },
      {
        title: 'has the headers set outside, except those that the handler changed or removed',
        expresses: 'removed headers',
        async run({ serve, name }) {
          const site = await serve(
            () => created({ headers: [['x-changed', 'inside']], removed: ['x-removed'] }),
            {
              outside: () => ({
                'x-outside': 'outside',
                'x-changed': 'outside',
                'x-removed': 'outside',
              }),
            },
          )
          const answer = await site.post(name())
          assert.equal(answer.header('x-outside'), 'outside')
          assert.equal(answer.header('x-changed'), 'inside')
          assert.equal(answer.header('x-removed'), undefined)
        },
      },
      {
        title: 'gives the handler what the client sent',
        async run({ serve, name }) {
          const site = await serve(({ body }) => created({ body: { kind: 'json', value: body } }))
          const body = { amount: 12.5, lines: [{ sku: 'a' }, null], note: 'Zoë' }
          assert.deepEqual((await site.post(name(), { body })).json(), body)
        },
      },
      {
        title: 'belongs to its key, on one connection and on many at once',
        needs: ['attempts side by side'],
        async run({ serve, name }) {
          const site = await serve(({ context, body }) =>
            created({ body: { kind: 'json', value: [context.key, body] } }),
          )
          const keys = Array.from({ length: 50 }, () => name())
          const answers = await Promise.all(keys.map((key) => site.post(key, { body: { key } })))
          for (const [i, answer] of answers.entries()) {
            assert.deepEqual(answer.json(), [keys[i], { key: keys[i] }])
          }
        },
      },
    ],
  }
}

function arrives({ what, reply, bytes }: BodyCase): AdapterBehaviour {
  return {
    title: `${what} arrives as the handler wrote it`,
    async run({ serve, name }) {
      const site = await serve(() => created(reply()))
      const answer = await site.post(name())
      assert.equal(answer.status, reply().status ?? 201)
      expectBody(answer, bytes)
    },
  }
}
