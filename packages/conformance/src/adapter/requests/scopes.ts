import assert from 'node:assert/strict'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectReplay } from '../site/adapter-context.ts'

/** The server decides who a key belongs to: a client sees only responses of its own scope. */
export function scopes(): AdapterBehaviourGroup {
  return {
    title: 'scopes',
    behaviours: [
      {
        title: 'never mix: the same key of two customers is two keys',
        async run({ serve, name }) {
          const { handler, runs } = counted(({ context }) =>
            created({ body: { kind: 'json', value: { of: context.scope } } }),
          )
          const site = await serve(handler, { scope: byCustomer })
          const key = name()
          const ask = (customer: string, amount = 1) =>
            site.post(key, { headers: { 'x-customer': customer }, body: { amount } })
          const ofAda = await ask('ada')
          const ofBen = await ask('ben', 2)
          assert.deepEqual(ofAda.json(), { of: 'ada' })
          assert.deepEqual(ofBen.json(), { of: 'ben' })
          expectReplay(await ask('ada'), ofAda)
          expectReplay(await ask('ben', 2), ofBen)
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'and keys are distinct even if their concatenation is equal',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { scope: byCustomer })
          const key = name()
          await site.post(`b${key}`, { headers: { 'x-customer': 'a' } })
          await site.post(key, { headers: { 'x-customer': 'ab' } })
          await site.post(`:${key}`, { headers: { 'x-customer': 'a' } })
          await site.post(key, { headers: { 'x-customer': 'a:' } })
          assert.equal(runs(), 4)
        },
      },
      {
        title: 'of two namespaces never mix either',
        async run({ serve, name }) {
          const key = name()
          const { handler, runs } = counted()
          for (const namespace of [name(), name()]) {
            const site = await serve(handler, { options: { namespace } })
            assert.equal((await site.post(key)).status, 201)
          }
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'are one with `dangerously-shared`',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { scope: 'dangerously-shared' })
          const key = name()
          const first = await site.post(key, { headers: { 'x-customer': 'ada' } })
          expectReplay(await site.post(key, { headers: { 'x-customer': 'ben' } }), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'have no default: without `scope` construction throws a TypeError that says what to write',
        async run({ serve }) {
          await assert.rejects(
            serve(() => created(), { scope: undefined }),
            (error) => {
              assert.ok(error instanceof TypeError, `threw ${error}`)
              assert.match(error.message, /scope: \(req\) =>/)
              return true
            },
          )
        },
      },
      ...[
        ['is empty', ''],
        ['is longer than 255 bytes', 'é'.repeat(128)],
        ['has a control character', 'a\nb'],
      ].map(([what, scope]) => refuses(what as string, scope as string)),
    ],
  }
}

const byCustomer = (header: (name: string) => string | undefined): string =>
  header('x-customer') ?? ''

function refuses(what: string, scope: string): AdapterBehaviour {
  return {
    title: `a scope that ${what} is an error of the app, scope-invalid, and nothing runs`,
    async run({ serve, name }) {
      const { handler, runs } = counted()
      const site = await serve(handler, { scope: () => scope })
      const answer = await site.post(name())
      assert.equal(answer.status, 500)
      assert.deepEqual(answer.json(), { error: 'scope-invalid' })
      assert.equal(runs(), 0)
    },
  }
}
