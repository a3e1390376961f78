import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import {
  type AdapterContext,
  counted,
  created,
  expectProblem,
  expectReplay,
} from '../site/adapter-context.ts'

/**
 * The form of `Idempotency-Key`: draft-07 section 2.1, and the bare form that most clients send.
 */
export function keys(): AdapterBehaviourGroup {
  return {
    title: 'keys',
    behaviours: [
      {
        title: 'a request without a key is refused: 400 key-missing, and the handler does not run',
        async run({ serve }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          expectProblem(await site.post(undefined), 400, 'key-missing')
          assert.equal(runs(), 0)
        },
      },
      ...malformed.map(([what, key]) => refuses(what, key)),
      refuses('of 256 characters', 'k'.repeat(256)),
      {
        title: 'a key of 255 characters is taken',
        async run({ serve }) {
          const site = await serve(counted().handler)
          const key = 'k'.repeat(255)
          const first = await site.post(key)
          expectReplay(await site.post(key), first)
        },
      },
      {
        title: 'a quoted key and the bare one are the same key, whatever parameters follow',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          const first = await site.post(key)
          for (const same of [`"${key}"`, ` "${key}" `, `"${key}";v=1`, `"${key}";a="b";c`]) {
            expectReplay(await site.post(same), first)
          }
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'escapes in a quoted key are read',
        async run({ serve, name }) {
          const site = await serve(({ context }) =>
            created({ body: { kind: 'json', value: context.key } }),
          )
          const key = name()
          assert.equal((await site.post(`"${key}\\"\\\\"`)).text, JSON.stringify(`${key}"\\`))
        },
      },
      {
        title: 'keys that differ in case are two',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          await site.post(`${key}-a`)
          await site.post(`${key}-A`)
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'with `strict` a bare key is refused and a quoted one taken',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { strict: true } })
          const key = name()
          expectProblem(await site.post(key), 400, 'key-invalid')
          assert.equal((await site.post(`"${key}"`)).status, 201)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'a key that `validateKey` rejects is refused',
        async run({ serve, name }) {
          const site = await serve(counted().handler, {
            options: { validateKey: (key) => key.startsWith('order-') },
          })
          expectProblem(await site.post(name()), 400, 'key-invalid')
          assert.equal((await site.post(`order-${name()}`)).status, 201)
        },
      },
      {
        title: 'the header that carries the key can have another name',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { header: 'X-Request-Key' } })
          const key = name()
          const first = await site.post(key)
          expectReplay(await site.post(key), first)
          const other = { 'Idempotency-Key': key }
          expectProblem(await site.post(undefined, { headers: other }), 400, 'key-missing')
          assert.equal(runs(), 1)
        },
      },
    ],
  }
}

const malformed: readonly (readonly [what: string, key: string | readonly string[]])[] = [
  ['that is empty', ''],
  ['that is empty between quotes', '""'],
  ['with a control character', 'a\tb'],
  ['beyond ASCII', 'caf\u00e9'],
  ['beyond ASCII between quotes', '"caf\u00e9"'],
  ['whose quote is not closed', '"abc'],
  ['with something after its quote', '"abc" def'],
  ['that is a list', 'a, b'],
  ['that is a list of quoted keys', '"a", "b"'],
  ['on two lines', ['a', 'b']],
  ['twice the same, on two lines', ['a', 'a']],
]

function refuses(what: string, key: string | readonly string[]): AdapterBehaviour {
  return {
    title: `a key ${what} is refused before the store is asked: 400 key-invalid`,
    async run({ serve }: AdapterContext) {
      const { handler, runs } = counted()
      let asked = 0
      const site = await serve(handler, {
        faults: {
          begin(begin) {
            asked += 1
            return begin()
          },
        },
      })
      const answer = await site.post(undefined, { headers: { 'Idempotency-Key': key } })
      expectProblem(answer, 400, 'key-invalid')
      assert.equal(asked, 0, 'the store was asked')
      assert.equal(runs(), 0, 'the handler ran')
    },
  }
}
