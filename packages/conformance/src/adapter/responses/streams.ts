import assert from 'node:assert/strict'
import { eventually } from '../../behaviour/eventually.ts'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, type Differently, door, expectProblem } from '../site/adapter-context.ts'
import { lostWith } from '../site/faulty-store.ts'
import { chunksOf } from '../site/reply-bodies.ts'

const options = { response: 'stream' } as const

/** A route with `response: 'stream'`: server-sent events, token streams. */
export function streams(): AdapterBehaviourGroup {
  return {
    title: 'a route that streams',
    behaviours: [
      {
        title: 'passes chunks through as they are written, before the stream ends',
        async run({ serve, name, path }) {
          const seen = door()
          async function* chunks(): AsyncGenerator<Uint8Array> {
            yield Buffer.from('data: 1\n\n')
            await seen.opened
            yield Buffer.from('data: 2\n\n')
          }
          const headers = [['content-type', 'text/event-stream']] as const
          const site = await serve(
            () => created({ headers, body: { kind: 'stream', chunks: chunks() } }),
            { options },
          )
          const response = await startPost(site.url + path, name())
          assert.equal(response.status, 201)
          assert.equal(response.headers.get('content-type'), 'text/event-stream')
          let text = ''
          for await (const chunk of response.body ?? []) {
            text += Buffer.from(chunk as Uint8Array).toString()
            seen.open()
          }
          assert.equal(text, 'data: 1\n\ndata: 2\n\n')
        },
      },
      {
        title:
          'is on record from its first byte: a retry gets 410 result-gone, and nothing runs again',
        async run({ serve, name }) {
          const { handler, runs } = counted(() =>
            created({ body: { kind: 'stream', chunks: chunksOf(['a', 'b']) } }),
          )
          const site = await serve(handler, { options })
          const key = name()
          assert.equal((await site.post(key)).text, 'ab')
          for (let n = 0; n < 2; n += 1) expectProblem(await site.post(key), 410, 'result-gone')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'also handles a response that is not a stream',
        async run({ serve, name }) {
          const { handler, runs } = counted()
          const site = await serve(handler, { options })
          const key = name()
          assert.equal((await site.post(key)).text, '{"id":"order-1"}')
          expectProblem(await site.post(key), 410, 'result-gone')
          assert.equal(runs(), 1)
        },
      },
      {
        title: 'has committed its events when its first byte arrives',
        needs: ['events'],
        async run({ serve, name, path, committed }) {
          const subject = name()
          const seen = door()
          async function* chunks(): AsyncGenerator<Uint8Array> {
            yield Buffer.from('a')
            await seen.opened
            yield Buffer.from('b')
          }
          const site = await serve(
            ({ context }) => {
              context.emit({ type: 'chat.answered', subject })
              return created({ body: { kind: 'stream', chunks: chunks() } })
            },
            { options },
          )
          const response = await startPost(site.url + path, name())
          const before = await committed(subject)
          seen.open()
          await response.text()
          assert.deepEqual(before, ['chat.answered'])
        },
      },
      {
        title: 'is not over before its first byte: what is emitted until then is committed',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const subject = name()
          const site = await serve(
            ({ context }) => {
              async function* chunks(): AsyncGenerator<Uint8Array> {
                // Long after the handler has returned.
                for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
                context.emit({ type: 'chat.answered', subject })
                yield Buffer.from('a')
              }
              return created({ body: { kind: 'stream', chunks: chunks() } })
            },
            { options },
          )
          assert.equal((await site.post(name())).text, 'a')
          assert.deepEqual(await committed(subject), ['chat.answered'])
        },
      },
      {
        title:
          'is over with its first byte: emit(), keep() and release() throw attempt-over from then on, so that nothing is lost in silence',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const subject = name()
          const codes: unknown[] = []
          const site = await serve(
            ({ context }) => {
              context.emit({ type: 'chat.asked', subject })
              async function* chunks(): AsyncGenerator<Uint8Array> {
                // More than frameworks read ahead, so that the last part is written late.
                for (let n = 0; n < 40; n += 1) {
                  await new Promise((resolve) => setImmediate(resolve))
                  yield Buffer.alloc(64 * 1024, 'x')
                }
                const late = [
                  () => context.emit({ type: 'chat.answered', subject }),
                  () => context.keep(),
                  () => context.release(),
                ]
                for (const act of late) {
                  try {
                    act()
                  } catch (error) {
                    codes.push((error as { code?: unknown }).code)
                  }
                }
              }
              return created({ body: { kind: 'stream', chunks: chunks() } })
            },
            { options },
          )
          assert.equal((await site.post(name())).bytes.length, 40 * 64 * 1024)
          assert.deepEqual(codes, ['attempt-over', 'attempt-over', 'attempt-over'])
          assert.deepEqual(await committed(subject), ['chat.asked'])
        },
      },
      {
        title: 'sends nothing of the stream if it cannot be recorded',
        async run({ serve, name }) {
          const site = await serve(
            () => created({ body: { kind: 'stream', chunks: chunksOf(['a', 'b']) } }),
            { options, faults: { complete: lostWith(new Error('connection lost')) } },
          )
          expectProblem(await site.post(name()), 503, 'commit-failed')
        },
      },
      givenUp('it cannot be recorded', {
        faults: { complete: lostWith(new Error('connection lost')) },
      }),
      givenUp('another attempt was recorded first', {
        faults: {
          async complete(_, { attempt }) {
            await attempt.release()
            return 'superseded'
          },
        },
      }),
      givenUp('an option of the app fails', {
        options: {
          disposition() {
            throw new Error('a bug of the app')
          },
        },
      }),
      {
        title: 'leaves its key free if it responds 500: a retry runs again',
        async run({ serve, name }) {
          const { handler, runs } = counted(() => ({ status: 500 }))
          const site = await serve(handler, { options })
          const key = name()
          await site.post(key)
          assert.equal((await site.post(key)).status, 500)
          assert.equal(runs(), 2)
        },
      },
      {
        title: 'has no transaction: transaction-unsupported',
        async run({ serve, name }) {
          const site = await serve(
            async ({ context }) => {
              await context.transaction()
              return created()
            },
            { options },
          )
          assert.deepEqual((await site.post(name())).json(), { error: 'transaction-unsupported' })
        },
      },
    ],
  }
}

/** A retry runs beside a handler that goes on. */
function givenUp(when: string, { options: also, ...differently }: Differently): AdapterBehaviour {
  return {
    title: `is stopped, and its signal aborts, if ${when}`,
    async run({ serve, name }) {
      let isStopped = false
      let reason: unknown
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (;;) {
            await new Promise((resolve) => setImmediate(resolve))
            yield Buffer.alloc(1000)
          }
        } finally {
          isStopped = true
        }
      }
      const site = await serve(
        ({ context: { signal } }) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason
          })
          return created({ body: { kind: 'stream', chunks: endless() } })
        },
        { ...differently, options: { ...options, ...also } },
      )
      assert.ok((await site.post(name())).status >= 500)
      assert.equal((reason as { code?: unknown } | undefined)?.code, 'attempt-over')
      await eventually('the stream to be stopped', async () => isStopped || undefined)
    },
  }
}

/** Resolves with the head of the response, before its body has arrived. */
function startPost(url: string, key: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'Idempotency-Key': key, 'Content-Type': 'application/json' },
    body: '{}',
  })
}
