import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Completion } from '@oncekey/core'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'

/** Secrets in stored responses: `seal` and `redact`. */
export function secrets(): AdapterBehaviourGroup {
  const secret = 'card-4242'
  const reply = () =>
    created({
      headers: [['x-card', secret]],
      body: { kind: 'json', value: { card: secret } },
    })
  const isReadable = ({ response }: Completion) =>
    Buffer.from(response.body ?? []).includes(secret) ||
    JSON.stringify(response.headers).includes(secret)

  return {
    title: 'secrets in a response',
    behaviours: [
      {
        title: 'are not readable in the store when sealed, and come back in the replay',
        async run({ serve, name }) {
          const stored: Completion[] = []
          const seal = { current: 'k1', keys: { k1: randomBytes(32) } }
          const { handler, runs } = counted(reply)
          const site = await serve(handler, {
            options: { seal },
            faults: {
              complete(complete, { completion }) {
                stored.push(completion)
                return complete()
              },
            },
          })
          const key = name()
          const first = await site.post(key)
          const again = await site.post(key)
          expectReplay(again, first)
          assert.equal(again.header('x-card'), secret)
          assert.equal(again.text, `{"card":"${secret}"}`)
          assert.equal(stored.length, 1)
          assert.deepEqual(stored.map(isReadable), [false])
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'stay replayable, and other requests refused, when the seal’s key is rotated',
        async run({ serve, name }) {
          const [k1, k2] = [randomBytes(32), randomBytes(32)]
          const { handler, runs } = counted(reply)
          const namespace = name()
          const before = await serve(handler, {
            options: { namespace, seal: { current: 'k1', keys: { k1 } } },
          })
          const after = await serve(handler, {
            options: { namespace, seal: { current: 'k2', keys: { k1, k2 } } },
          })
          const key = name()
          const first = await before.post(key)
          expectReplay(await after.post(key), first)
          expectProblem(await after.post(key, { body: { amount: 2 } }), 422, 'key-reused')
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'are an error of the app, and no second run, when the seal’s key is no longer listed',
        async run({ serve, name }) {
          const [k1, k2] = [randomBytes(32), randomBytes(32)]
          const { handler, runs } = counted(reply)
          const namespace = name()
          // The stored fingerprint names its key's id, so the request is still recognised.
          const fingerprint = () => 'the same'
          const before = await serve(handler, {
            fingerprint,
            options: { namespace, seal: { current: 'k1', keys: { k1 } } },
          })
          const after = await serve(handler, {
            fingerprint,
            options: { namespace, seal: { current: 'k2', keys: { k2 } } },
          })
          const key = name()
          await before.post(key)
          const answer = await after.post(key)
          assert.ok(answer.status === 500 || answer.code === 'key-reused', answer.text)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'are sent once and not stored if `redact` removes them',
        async run({ serve, name }) {
          const stored: Completion[] = []
          const site = await serve(reply, {
            options: {
              redact: (response) => ({
                ...response,
                headers: response.headers.filter(([name]) => name !== 'x-card'),
                body: Buffer.from('{"card":"…"}'),
              }),
            },
            faults: {
              complete(complete, { completion }) {
                stored.push(completion)
                return complete()
              },
            },
          })
          const key = name()
          const first = await site.post(key)
          assert.equal(first.text, `{"card":"${secret}"}`)
          assert.equal(first.header('x-card'), secret)
          const again = await site.post(key)
          assert.equal(again.text, '{"card":"…"}')
          assert.equal(again.header('x-card'), undefined)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.deepEqual(stored.map(isReadable), [false])
        },
      },
      {
        title: 'are kept from the store where `redact` throws: nothing is stored, nothing told',
        async run({ serve, name }) {
          const stored: Completion[] = []
          const site = await serve(reply, {
            options: {
              redact() {
                throw new Error('not as I knew it')
              },
            },
            faults: {
              complete(complete, { completion }) {
                stored.push(completion)
                return complete()
              },
            },
          })
          const answer = await site.post(name())
          assert.ok(answer.status >= 500, answer.text)
          assert.doesNotMatch(answer.text, /4242/)
          assert.equal(answer.header('x-card'), undefined)
          assert.deepEqual(stored, [])
        },
      },
    ],
  }
}
