import assert from 'node:assert/strict'
import { eventually } from '../../behaviour/eventually.ts'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { counted, created, expectProblem, expectReplay } from '../site/adapter-context.ts'
import type { ReplyBody } from '../site/adapter-fixture.ts'

const MAX = 10_000
const options = { maxResponseBytes: MAX }

/** A response over `maxResponseBytes` is not stored. */
export function largeResponses(): AdapterBehaviourGroup {
  return {
    title: 'a response that is too large to be kept',
    behaviours: [
      ...(['bytes', 'stream'] as const).flatMap((kind) => [atTheCap(kind), undone(kind)]),
      delivered(),
      notEndedEarly(),
      keptToTheLast(),
      {
        title: 'is stopped at the limit in transaction mode, however long the stream is',
        needs: ['transaction mode'],
        async run({ serve, name }) {
          let pulled = 0
          let isStopped = false
          async function* endless(): AsyncGenerator<Uint8Array> {
            try {
              for (;;) {
                await new Promise((resolve) => setImmediate(resolve))
                pulled += 1000
                yield Buffer.alloc(1000)
              }
            } finally {
              isStopped = true
            }
          }
          const site = await serve(() => created({ body: { kind: 'stream', chunks: endless() } }), {
            options,
          })
          expectProblem(await site.post(name()), 500, 'response-too-large')
          await eventually('the stream to be stopped', async () => isStopped || undefined)
          // At most the buffers that are read ahead were pulled, a few hundred kilobytes, and not
          // the endless rest.
          assert.ok(pulled < 100 * MAX, `${pulled} bytes were pulled`)
        },
      },
      {
        title: 'does not matter if it is not stored anyway: a 500 is delivered completely',
        async run({ serve, name }) {
          const site = await serve(() => ({ status: 500, body: bodyOf('bytes', 2 * MAX) }), {
            options,
          })
          const answer = await site.post(name())
          assert.equal(answer.status, 500)
          assert.equal(answer.bytes.length, 2 * MAX)
        },
      },
    ],
  }
}

function atTheCap(kind: 'bytes' | 'stream'): AdapterBehaviour {
  return {
    title: `is not one of ${kind} at the cap exactly`,
    async run({ serve, name }) {
      const { handler, runs } = counted(() => created({ body: bodyOf(kind, MAX) }))
      const site = await serve(handler, { options })
      const key = name()
      const first = await site.post(key)
      assert.equal(first.bytes.length, MAX)
      expectReplay(await site.post(key), first)
      assert.equal(runs(), 1)
    },
  }
}

function undone(kind: 'bytes' | 'stream'): AdapterBehaviour {
  return {
    title: `in transaction mode, of ${kind}: 500 response-too-large, everything undone`,
    needs: ['transaction mode', 'transactions', 'events'],
    async run({ serve, name, fixture, written, committed }) {
      const [key, row, subject] = [name(), name(), name()]
      const { handler, runs } = counted(async ({ context }) => {
        await fixture.write?.(await context.transaction(), row)
        context.emit({ type: 'order.created', subject })
        const headers = [['location', '/orders/1']] as const
        return created({ headers, body: bodyOf(kind, MAX + 1) })
      })
      const site = await serve(handler, { options })
      const answer = await site.post(key)
      expectProblem(answer, 500, 'response-too-large')
      assert.equal(answer.header('location'), undefined, 'a header of what was undone')
      assert.equal(await written(row), false)
      assert.deepEqual(await committed(subject), [])
      expectProblem(await site.post(key), 500, 'response-too-large')
      assert.equal(runs(), 2)
    },
  }
}

function delivered(): AdapterBehaviour {
  return {
    title: 'in lease mode, of bytes: delivered once, and 410 result-gone from then on',
    needs: ['lease mode'],
    async run({ serve, name }) {
      const { handler, runs } = counted(() => created({ body: bodyOf('bytes', 5 * MAX) }))
      const site = await serve(handler, { options })
      const key = name()
      const first = await site.post(key)
      assert.equal(first.status, 201)
      assert.ok(first.bytes.equals(Buffer.alloc(5 * MAX, 'x')))
      for (let n = 0; n < 2; n += 1) expectProblem(await site.post(key), 410, 'result-gone')
      assert.equal(runs(), 1)
    },
  }
}

/**
 * If the run were committed at the limit, a handler that continues would have half of its work
 * kept.
 */
function notEndedEarly(): AdapterBehaviour {
  return {
    title:
      'in lease mode, while its stream is still written: 500 response-too-large, and no half of the work is kept',
    needs: ['lease mode'],
    async run({ serve, name, fixture, written, committed }) {
      const [debit, credit, subject] = [name(), name(), name()]
      const { capabilities } = fixture.store
      const stores = capabilities.transactions && fixture.written !== undefined
      const { handler, runs } = counted(async ({ context }) => {
        async function* chunks(): AsyncGenerator<Uint8Array> {
          if (stores) await fixture.write?.(await context.transaction(), debit)
          context.emit({ type: 'debited', subject })
          for (let n = 0; n < 3; n += 1) yield Buffer.alloc(MAX, 'x')
          if (stores) await fixture.write?.(await context.transaction(), credit)
          context.emit({ type: 'credited', subject })
        }
        return created({ body: { kind: 'stream', chunks: chunks() } })
      })
      const site = await serve(handler, { options })
      const key = name()
      expectProblem(await site.post(key), 500, 'response-too-large')
      if (stores) assert.deepEqual([await written(debit), await written(credit)], [false, false])
      if (fixture.events !== undefined) assert.deepEqual(await committed(subject), [])
      // The response is not recorded as done: the key is like that of any attempt that did not
      // report its outcome.
      expectProblem(await site.post(key), 500, 'response-too-large')
      assert.equal(runs(), 2)
    },
  }
}

function keptToTheLast(): AdapterBehaviour {
  return {
    title:
      'is not one of a stream at the cap, and what is written and emitted up to its end is kept',
    needs: ['transactions', 'events'],
    async run({ serve, name, fixture, written, committed }) {
      const [first, last, subject] = [name(), name(), name()]
      const site = await serve(
        async ({ context }) => {
          async function* chunks(): AsyncGenerator<Uint8Array> {
            await fixture.write?.(await context.transaction(), first)
            yield Buffer.alloc(MAX / 2, 'x')
            await fixture.write?.(await context.transaction(), last)
            yield Buffer.alloc(MAX / 2, 'x')
            context.emit({ type: 'order.created', subject })
          }
          return created({ body: { kind: 'stream', chunks: chunks() } })
        },
        { options },
      )
      assert.equal((await site.post(name())).status, 201)
      assert.deepEqual([await written(first), await written(last)], [true, true])
      assert.deepEqual(await committed(subject), ['order.created'])
    },
  }
}

function bodyOf(kind: 'bytes' | 'stream', length: number): ReplyBody {
  const bytes = Buffer.alloc(length, 'x')
  if (kind === 'bytes') return { kind, bytes }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < length; at += 1024) {
      await new Promise((resolve) => setImmediate(resolve))
      yield bytes.subarray(at, at + 1024)
    }
  }
  return { kind, chunks: chunks() }
}
