import assert from 'node:assert/strict'
import type { AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, door, expectProblem, expectReplay } from '../site/adapter-context.ts'
import { pausingHandler } from '../site/pauses.ts'

/** A repeated request while the first one is still running. */
export function running(): AdapterBehaviourGroup {
  return {
    title: 'a request whose key is running',
    behaviours: [
      {
        title: 'is told so: 409 in-progress with Retry-After, and the handler runs once',
        async run({ serve, name }) {
          const { handler, runs, started, finish } = pausingHandler()
          const site = await serve(handler)
          const key = name()
          const first = site.post(key)
          await started
          const early = await site.post(key)
          finish()
          expectProblem(early, 409, 'in-progress')
          assert.match(early.header('retry-after') ?? '', /^[1-9]\d*$/)
          const answer = await first
          expectReplay(await site.post(key), answer)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'gets the single response, for 50 concurrent clients that retry',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler)
          const key = name()
          const clients = Array.from({ length: 50 }, async () => {
            for (;;) {
              const answer = await site.post(key)
              if (answer.status !== 409) return answer
              expectProblem(answer, 409, 'in-progress')
            }
          })
          const answers = await Promise.all(clients)
          for (const { status, text } of answers) {
            assert.equal(`${status} ${text}`, '201 {"id":"order-1"}')
          }
          const firsts = answers.filter((answer) => !answer.header('x-idempotency-replayed'))
          assert.equal(firsts.length, 1)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'waits for the result and replays it, with `waitMs`',
        async run({ serve, name }) {
          const waiting = door()
          const { handler, runs, started, finish } = pausingHandler()
          let claims = 0
          const site = await serve(handler, {
            options: { waitMs: 20_000 },
            faults: {
              begin(begin) {
                claims += 1
                const decision = begin()
                if (claims === 4) waiting.open()
                return decision
              },
            },
          })
          const key = name()
          const first = site.post(key)
          await started
          const waiters = [1, 2, 3].map(() => site.post(key))
          await waiting.opened
          finish()
          for (const waiter of waiters) expectReplay(await waiter, await first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'is told so once its `waitMs` are over',
        async run({ serve, name }) {
          const { handler, started, finish } = pausingHandler()
          const site = await serve(handler, { options: { waitMs: 50 } })
          const key = name()
          const first = site.post(key)
          await started
          const late = await site.post(key)
          finish()
          expectProblem(late, 409, 'in-progress')
          assert.equal((await first).status, 201)
        },
      },
      {
        title: 'stops waiting when its client disconnects',
        async run({ serve, name }) {
          const [waiting, gone] = [door(), door()]
          const { handler, runs, started, finish } = pausingHandler()
          let claims = 0
          const site = await serve(handler, {
            options: { waitMs: 20_000 },
            faults: {
              begin(begin, claim) {
                claims += 1
                if (claims === 2) {
                  claim.signal.addEventListener('abort', gone.open)
                  waiting.open()
                }
                return begin()
              },
            },
          })
          const key = name()
          const first = site.post(key)
          await started
          const client = new AbortController()
          const waiter = site.post(key, { signal: client.signal }).catch(() => 'hung up')
          await waiting.opened
          client.abort()
          assert.equal(await waiter, 'hung up')
          await gone.opened
          finish()
          expectReplay(await site.post(key), await first)
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'does not hold up a request with another key',
        needs: ['attempts side by side'],
        async run({ serve, name }) {
          const [started, finish] = [door(), door()]
          const slow = name()
          const site = await serve(async ({ context }) => {
            if (context.key !== slow) return created()
            started.open()
            await finish.opened
            return created()
          })
          const first = site.post(slow)
          await started.opened
          assert.equal((await site.post(name())).status, 201)
          finish.open()
          assert.equal((await first).status, 201)
        },
      },
    ],
  }
}
