import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Claim, OncekeyError, type StoredResponse } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { type AdapterContext, counted, created, expectProblem } from '../site/adapter-context.ts'
import type { Reply } from '../site/adapter-fixture.ts'
import { lostWith } from '../site/faulty-store.ts'
import type { Answer } from '../site/http-client.ts'
import { bodies } from '../site/reply-bodies.ts'

/** A response that could not be stored is not sent to the client either. */
export function commitFailures(): AdapterBehaviourGroup {
  return {
    title: 'a commit that',
    behaviours: [
      ...bodies().map(({ what, reply }) =>
        replaced(
          'is lost',
          `answered with ${what}`,
          new Error('connection lost'),
          [503, 'commit-failed'],
          reply,
        ),
      ),
      ...(
        [
          ['commit-failed', 503, 'commit-failed'],
          ['transaction-aborted', 500, 'transaction-aborted'],
          ['transaction-ended', 500, 'transaction-ended'],
          // Both say that the handler did not run.
          ['store-busy', 503, 'commit-failed'],
          ['store-unavailable', 503, 'commit-failed'],
        ] as const
      ).map(([code, status, told]) =>
        replaced('fails', `with ${code}`, new OncekeyError(code, 'as the store says'), [
          status,
          told,
        ]),
      ),
      {
        title: 'fails leaves nothing of the undone response: no header, no cookie',
        async run({ serve, name }) {
          const headers = [
            ['location', '/orders/1'],
            ['etag', '"1"'],
            ['set-cookie', 'order=1'],
            ['x-changed', 'inside'],
          ] as const
          const site = await serve(() => created({ headers, removed: ['x-removed'] }), {
            outside: () => ({ 'x-changed': 'outside', 'x-removed': 'outside' }),
            faults: { complete: lostWith(new Error('connection lost')) },
          })
          const answer = await site.post(name())
          expectProblem(answer, 503, 'commit-failed')
          for (const name of ['location', 'etag', 'set-cookie']) {
            assert.equal(answer.header(name), undefined)
          }
          assert.equal(answer.header('x-changed'), 'outside')
          assert.equal(answer.header('x-removed'), 'outside')
        },
      },
      {
        title: 'fails aborts the signal of a handler that goes on after its answer',
        async run({ serve, name }) {
          let signal: AbortSignal | undefined
          const site = await serve(
            ({ context }) => {
              signal = context.signal
              return created()
            },
            { faults: { complete: lostWith(new Error('connection lost')) } },
          )
          expectProblem(await site.post(name()), 503, 'commit-failed')
          assert.equal(signal?.reason?.code, 'attempt-over')
        },
      },
      {
        title: 'succeeded although its reply was lost is replayed to the retry',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, {
            faults: {
              async complete(complete) {
                await complete()
                throw new Error('connection lost')
              },
            },
          })
          const key = name()
          expectProblem(await site.post(key), 503, 'commit-failed')
          const again = await site.post(key)
          assert.equal(again.status, 201)
          assert.equal(again.header('x-idempotency-replayed'), 'true')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'another attempt made first gets that attempt’s response',
        async run(context) {
          const answer = await superseded(context, (claim) => claim)
          assert.equal(`${answer.status} ${answer.text}`, '202 by the other')
          assert.equal(answer.header('x-idempotency-replayed'), 'true')
          assert.equal(answer.header('x-mine'), undefined)
        },
      },
      {
        title: 'another request with this key made first gets 422 key-reused',
        async run(context) {
          const other = (claim: Claim): Claim => ({ ...claim, fingerprints: ['json1:other'] })
          expectProblem(await superseded(context, other), 422, 'key-reused')
        },
      },
      {
        title: 'collided with one that then left nothing is answered 503, and may be tried again',
        async run({ serve, name }) {
          let isFirst = true
          const site = await serve(() => created(), {
            faults: {
              async complete(complete, { attempt }) {
                if (!isFirst) return complete()
                isFirst = false
                await attempt.release()
                return 'superseded'
              },
            },
          })
          const key = name()
          expectProblem(await site.post(key), 503, 'commit-failed')
          assert.equal((await site.post(key)).status, 201)
        },
      },
    ],
  }
}

function replaced(
  what: string,
  when: string,
  error: unknown,
  [status, code]: readonly [status: number, code: string],
  reply: () => Reply = () => ({}),
): AdapterBehaviour {
  return {
    title: `${what}, ${when}, is never told as a success: ${status} ${code}`,
    async run({ serve, name }) {
      const site = await serve(() => created(reply()), {
        faults: { complete: lostWith(error) },
      })
      const answer = await site.post(name())
      expectProblem(answer, status, code)
      assert.equal(answer.header('x-idempotency-replayed'), undefined)
    },
  }
}

/** An attempt that completes after another attempt, which took its place, has completed. */
async function superseded(
  { serve, name, store }: AdapterContext,
  otherClaim: (claim: Claim) => Claim,
): Promise<Answer> {
  const site = await serve(() => created({ headers: [['x-mine', '1']] }), {
    faults: {
      async complete(_, { attempt, claim }) {
        await attempt.release()
        const decision = await store.begin(otherClaim({ ...(claim as Claim), token: randomUUID() }))
        assert.ok(decision.kind === 'run')
        await decision.attempt.complete({ response: byTheOther, events: [], writes: 'keep' })
        return 'superseded'
      },
    },
  })
  return site.post(name())
}

const byTheOther: StoredResponse = {
  status: 202,
  headers: [['content-type', 'text/plain']],
  body: Buffer.from('by the other'),
  seal: null,
}
