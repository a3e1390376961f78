import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Authenticate, OncekeyError } from '@oncekey/core'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, expectProblem, expectReplay } from '../site/adapter-context.ts'

/** A request is authenticated by its received bytes before anything is claimed or replayed. */
export function authenticity(): AdapterBehaviourGroup {
  return {
    title: 'a request that `authenticate` checks',
    behaviours: [
      {
        title: 'is checked over the received bytes, including spaces',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { authenticate } })
          const text = '{ "amount" :  1.0 }'
          const [key, headers] = [name(), { 'x-digest': digest(text) }]
          const first = await site.post(key, { text, headers })
          assert.equal(first.status, 201)
          expectReplay(await site.post(key, { text, headers }), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'is checked over the bytes that came where `fingerprint` says that something else counts',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            options: { authenticate },
            fingerprint: (body) => (body as { amount: number }).amount,
          })
          const key = name()
          const send = (text: string) =>
            site.post(key, { text, headers: { 'x-digest': digest(text) } })
          const first = await send('{ "amount" :  1.0 }')
          assert.equal(first.status, 201)
          expectReplay(await send('{"amount":1, "sentAt": 2}'), first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is refused if it is not authentic: 401 not-authentic, no handler and no replay',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options: { authenticate } })
          const text = '{"amount":1}'
          const key = name()
          const forged = { text, headers: { 'x-digest': digest('{"amount":2}') } }
          expectProblem(await site.post(key, forged), 401, 'not-authentic')
          assert.equal(runs(), 0)
          await site.post(key, { text, headers: { 'x-digest': digest(text) } })
          const answer = await site.post(key, forged)
          expectProblem(answer, 401, 'not-authentic')
          assert.doesNotMatch(answer.text, /order-1/)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is checked whatever its method is, and only GET, HEAD and OPTIONS are not',
        async run({ serve, name, path }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            options: { authenticate, methods: ['POST'] },
            routes: ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'].map((method) => ({
              method,
              path,
              handler,
            })),
          })
          const text = '{"amount":1}'
          const forged = { text, headers: { 'x-digest': digest('{"amount":2}') } }
          for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
            const answer = await site.post(name(), { ...forged, method })
            expectProblem(answer, 401, 'not-authentic')
          }
          assert.equal(runs(), 0)
          const [key, headers] = [name(), { 'x-digest': digest(text) }]
          const first = await site.post(key, { text, headers, method: 'PUT' })
          assert.equal(first.status, 201)
          expectReplay(await site.post(key, { text, headers, method: 'PUT' }), first)
          assert.equal((await site.post(undefined, { method: 'GET' })).status, 201)
          assert.equal(runs(), 2)
        },
      },
    ],
  }
}

const digest = (text: string | Uint8Array): string =>
  createHash('sha256').update(text).digest('hex')

const authenticate: Authenticate = ({ header }, bytes) => {
  if (header('x-digest')[0] !== digest(bytes)) {
    throw new OncekeyError('not-authentic', 'the digest does not fit')
  }
}
