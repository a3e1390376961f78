import assert from 'node:assert/strict'
import { type ErrorCode, OncekeyError } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem } from '../site/adapter-context.ts'

/** When the store fails there is no bypass: the handler never runs without a claim. */
export function storeFailures(): AdapterBehaviourGroup {
  return {
    title: 'a store that',
    behaviours: [
      answers('cannot be reached', new Error('connection refused'), 'store-unavailable'),
      answers('throws what is no error', 'gone', 'store-unavailable'),
      answers('is busy', new OncekeyError('store-busy', 'no connection'), 'store-busy'),
      {
        title: 'cannot be reached does not tell the client why',
        async run({ serve, name }) {
          const site = await serve(() => created(), {
            faults: { begin: () => Promise.reject(new Error('password for 10.0.0.1 rejected')) },
          })
          assert.doesNotMatch((await site.post(name())).text, /10\.0\.0\.1|password/)
        },
      },
      {
        title: 'comes back serves the same key at once',
        async run({ serve, name }) {
          let isAway = true
          const { handler, runs } = counted()
          const site = await serve(handler, {
            faults: {
              begin: (begin) => (isAway ? Promise.reject(new Error('away')) : begin()),
            },
          })
          const key = name()
          expectProblem(await site.post(key), 503, 'store-unavailable')
          isAway = false
          assert.equal((await site.post(key)).status, 201)
          assert.equal(runs(), 1)
        },
      },
      {
        title:
          'has no connection left for a handler’s transaction is busy: 503 store-busy, and its key is free',
        needs: ['transactions'],
        async run({ serve, name }) {
          let isFull = true
          const { handler, runs } = counted(async ({ context }) => {
            await context.transaction()
            return created({ headers: [['x-attempt', String(context.attempt)]] })
          })
          const site = await serve(handler, {
            options: { whenUnknown: 'hold' },
            faults: {
              transaction: (transaction) =>
                isFull
                  ? Promise.reject(new OncekeyError('store-busy', 'no connection'))
                  : transaction(),
            },
          })
          const key = name()
          expectProblem(await site.post(key), 503, 'store-busy')
          isFull = false
          assert.equal((await site.post(key)).header('x-attempt'), '1')
          assert.equal(runs(), 2)
        },
      },
      {
        title:
          'had no connection left for a handler that went on and failed later: its outcome is unknown',
        needs: ['transactions', 'lease mode'],
        async run({ serve, name }) {
          const { handler, runs } = counted(async ({ context }) => {
            await context.transaction().catch(() => {})
            // The call of another service, whose answer leaves open what it did.
            await new Promise((resolve) => setTimeout(resolve, 20))
            return { status: 502, body: { kind: 'text', text: 'upstream' } }
          })
          const site = await serve(handler, {
            options: { whenUnknown: 'hold' },
            faults: {
              transaction: () => Promise.reject(new OncekeyError('store-busy', 'no connection')),
            },
          })
          const key = name()
          const answer = await site.post(key)
          assert.equal(`${answer.status} ${answer.text}`, '502 upstream')
          expectProblem(await site.post(key), 409, 'outcome-unknown')
          assert.equal(runs(), 1)
        },
      },
      throwsOn('is not migrated', 'store-not-migrated'),
      throwsOn('is of a later version', 'store-too-new'),
      {
        title: 'cannot undo does not suppress the handler’s own response',
        async run({ serve, name }) {
          const site = await serve(
            () => ({ status: 502, body: { kind: 'text', text: 'upstream' } }),
            {
              faults: {
                async abandon(abandon) {
                  await abandon()
                  throw new Error('connection lost')
                },
              },
            },
          )
          const answer = await site.post(name())
          assert.equal(`${answer.status} ${answer.text}`, '502 upstream')
        },
      },
    ],
  }
}

function answers(what: string, error: unknown, code: ErrorCode): AdapterBehaviour {
  return {
    title: `${what} is answered for: 503 ${code} with Retry-After, and the handler does not run`,
    async run({ serve, name }) {
      const { handler, runs } = counted()
      const site = await serve(handler, { faults: { begin: () => Promise.reject(error) } })
      const answer = await site.post(name())
      expectProblem(answer, 503, code)
      assert.match(answer.header('retry-after') ?? '', /^[1-9]\d*$/)
      assert.equal(runs(), 0)
    },
  }
}

function throwsOn(what: string, code: ErrorCode): AdapterBehaviour {
  return {
    title: `${what} is an error of the app, ${code}, and the handler does not run`,
    async run({ serve, name }) {
      const { handler, runs } = counted()
      const error = new OncekeyError(code, 'run migrate()')
      const site = await serve(handler, { faults: { begin: () => Promise.reject(error) } })
      const answer = await site.post(name())
      assert.equal(answer.status, 500)
      assert.deepEqual(answer.json(), { error: code })
      assert.equal(runs(), 0)
    },
  }
}
