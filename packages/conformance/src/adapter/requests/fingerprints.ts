import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'
import type { Asked } from '../site/http-client.ts'
import { pausingHandler } from '../site/pauses.ts'

/** A key stands for one request: method, path, query, content type and body. */
export function fingerprints(): AdapterBehaviourGroup {
  return {
    title: 'a key used with another request',
    behaviours: [
      refuses('another body', { body: { amount: 2 } }),
      refuses('another body of the same length', { text: '{"amount":9}' }),
      refuses('a body with one more member', { body: { amount: 1, note: null } }),
      refuses('a list in another order', { body: { list: [2, 1] } }, { body: { list: [1, 2] } }),
      refuses('a number for a string', { body: { amount: '1' } }),
      refuses('an empty body', { text: '{}' }),
      {
        title: refusal('another query'),
        async run({ serve, name, path }) {
          const site = await serve(() => created())
          const key = name()
          const first = await site.post(key, { path: `${path}?page=1` })
          const other = await site.post(key, { path: `${path}?page=2` })
          expectProblem(other, 422, 'key-reused')
          expectProblem(await site.post(key), 422, 'key-reused')
          expectReplay(await site.post(key, { path: `${path}?page=1` }), first)
        },
      },
      {
        title: refusal('another path'),
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const paths = [path, `${path}-other`]
          const site = await serve(handler, {
            routes: paths.map((path) => ({ method: 'POST', path, handler })),
          })
          const key = name()
          const first = await site.post(key)
          expectProblem(await site.post(key, { path: `${path}-other` }), 422, 'key-reused')
          expectReplay(await site.post(key), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: refusal('another method'),
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            routes: ['POST', 'PATCH'].map((method) => ({ method, path, handler })),
          })
          const key = name()
          const first = await site.post(key)
          expectProblem(await site.post(key, { method: 'PATCH' }), 422, 'key-reused')
          expectReplay(await site.post(key), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'by a stranger a hundred times does not affect its first user',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          const strangers = Array.from({ length: 100 }, (_, n) =>
            site.post(key, { body: { stranger: n } }),
          )
          for (const answer of await Promise.all(strangers))
            expectProblem(answer, 422, 'key-reused')
          expectReplay(await site.post(key), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is told so, 422 over 409, while the first request is still running',
        async run({ serve, name }) {
          const { handler, started, finish } = pausingHandler()
          const site = await serve(handler)
          const key = name()
          const first = site.post(key)
          await started
          const other = await site.post(key, { body: { amount: 2 } })
          finish()
          assert.equal((await first).status, 201)
          // A store that locks in a transaction cannot see the fingerprint of the running request.
          assert.ok(['key-reused', 'in-progress'].includes(other.code ?? ''), other.text)
          expectProblem(await site.post(key, { body: { amount: 2 } }), 422, 'key-reused')
          expectReplay(await site.post(key), await first)
        },
      },
      {
        title: 'is not another request if only the order and spacing of the JSON differ',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key, { text: '{"a":1,"b":{"c":[1,2],"d":"x"}}' })
          for (const text of [
            '{ "b": { "d": "x", "c": [1, 2] }, "a": 1 }',
            '{"b":{"d":"\\u0078","c":[1,2.0]},\n"a":1e0}',
          ]) {
            expectReplay(await site.post(key, { text }), first)
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'follows a custom `fingerprint`',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            fingerprint: (body) => (body as { amount: number }).amount,
          })
          const key = name()
          const first = await site.post(key, { body: { amount: 1, sentAt: 1 } })
          expectReplay(await site.post(key, { body: { amount: 1, sentAt: 2 } }), first)
          const other = await site.post(key, { body: { amount: 2, sentAt: 1 } })
          expectProblem(other, 422, 'key-reused')
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

const refusal = (what: string): string =>
  `with ${what} is refused, 422 key-reused, and changes nothing`

function refuses(what: string, other: Asked, asked: Asked = {}): AdapterBehaviour {
  return {
    title: refusal(what),
    async run({ serve, name }) {
      const { handler, runs } = counted()
      const site = await serve(handler)
      const key = name()
      const first = await site.post(key, asked)
      for (let n = 0; n < 2; n += 1) expectProblem(await site.post(key, other), 422, 'key-reused')
      expectReplay(await site.post(key, asked), first)
      assert.equal(runs(), 1)
    },
  }
}
