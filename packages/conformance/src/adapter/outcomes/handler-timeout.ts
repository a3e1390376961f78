import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created, door, expectProblem } from '../site/adapter-context.ts'
import type { SiteHandler } from '../site/adapter-fixture.ts'
import { chunksOf } from '../site/reply-bodies.ts'

/** A handler that exceeds `handlerTimeoutMs` is given up. */
export function handlerTimeout(): AdapterBehaviourGroup {
  return {
    title: 'a handler that takes too long',
    behaviours: [
      {
        title: 'is answered for: 503 handler-timeout with Retry-After; its signal aborts',
        async run({ serve, name }) {
          const aborted = door()
          let reason: unknown
          const site = await serve(
            ({ context: { signal } }) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason
                aborted.open()
              })
              return NEVER
            },
            { options: { handlerTimeoutMs: 50 } },
          )
          const answer = await site.post(name())
          expectProblem(answer, 503, 'handler-timeout')
          assert.match(answer.header('retry-after') ?? '', /^[1-9]\d*$/)
          await aborted.opened
          assert.equal((reason as { code?: unknown }).code, 'handler-timeout')
        },
      },
      {
        title: 'has its writes and events undone, and its key may be tried again',
        needs: ['transactions', 'events'],
        async run({ serve, name, fixture, written, committed }) {
          const [key, row, subject] = [name(), name(), name()]
          let runs = 0
          const site = await serve(
            async ({ context }) => {
              runs += 1
              if (runs > 1) return created()
              await fixture.write?.(await context.transaction(), row)
              context.emit({ type: 'order.created', subject })
              return NEVER
            },
            // Long enough for the second run on a slow machine.
            { options: { handlerTimeoutMs: 300 } },
          )
          expectProblem(await site.post(key), 503, 'handler-timeout')
          assert.equal(await written(row), false)
          assert.deepEqual(await committed(subject), [])
          assert.equal((await site.post(key)).status, 201)
        },
      },
      {
        title:
          'has its listeners, and the channels, called in the async context of its own request',
        async run({ serve, name }) {
          const users = new AsyncLocalStorage<string>()
          const [quick, slow] = [name(), name()]
          const seen: unknown[] = []
          const noticed = door()
          const onEnd = (message: unknown): void => {
            if ((message as { key?: unknown }).key !== slow) return
            seen.push(users.getStore())
            noticed.open()
          }
          let user = 'ada'
          const site = await serve(
            ({ context }) => {
              if (context.key === quick) return created()
              context.signal.addEventListener('abort', () => seen.push(users.getStore()))
              return NEVER
            },
            {
              options: { handlerTimeoutMs: 50 },
              outside() {
                users.enterWith(user)
                return {}
              },
            },
          )
          // The first request starts the shared timer that later fires for the second.
          await site.post(quick)
          user = 'ben'
          subscribe('oncekey:end', onEnd)
          try {
            expectProblem(await site.post(slow), 503, 'handler-timeout')
            await noticed.opened
          } finally {
            unsubscribe('oncekey:end', onEnd)
          }
          assert.deepEqual(seen, ['ben', 'ben'])
        },
      },
      harmless('answers after all', () => created({ headers: [['x-late', '1']] })),
      harmless('streams after all', () =>
        created({ body: { kind: 'stream', chunks: chunksOf(['a', 'b']) } }),
      ),
      harmless('throws because of it', ({ context }) => {
        throw context.signal.reason
      }),
      {
        title:
          'and whose stream never ends is answered for: 503 handler-timeout, not a stalled body',
        async run({ serve, name }) {
          let isStopped = false
          async function* endless(): AsyncGenerator<Uint8Array> {
            try {
              yield Buffer.from('a')
              await NEVER
            } finally {
              isStopped = true
            }
          }
          const site = await serve(() => created({ body: { kind: 'stream', chunks: endless() } }), {
            options: { handlerTimeoutMs: 50 },
          })
          expectProblem(await site.post(name()), 503, 'handler-timeout')
          assert.equal(isStopped, false, 'it waits for ever, and nobody can stop it')
        },
      },
    ],
  }
}

const NEVER = new Promise<never>(() => {})

function harmless(what: string, act: SiteHandler): AdapterBehaviour {
  return {
    title: `and then ${what} harms nothing: neither the answer, nor the next on that connection`,
    async run({ serve, name }) {
      const late = door()
      const slow = name()
      const site = await serve(
        async (call) => {
          if (call.context.key !== slow) return created()
          const { signal } = call.context
          if (!signal.aborted) {
            await new Promise((resolve) => signal.addEventListener('abort', resolve))
          }
          setTimeout(late.open, 20)
          return act(call)
        },
        { options: { handlerTimeoutMs: 300 } },
      )
      const answer = await site.post(slow)
      expectProblem(answer, 503, 'handler-timeout')
      assert.equal(answer.header('x-late'), undefined)
      await late.opened
      for (let n = 0; n < 3; n += 1) assert.equal((await site.post(name())).status, 201)
    },
  }
}
