import assert from 'node:assert/strict'
import { eventually } from '../../behaviour/eventually.ts'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created, type Differently } from '../site/adapter-context.ts'
import type { CallResponse, SiteHandler } from '../site/adapter-fixture.ts'
import { lostWith } from '../site/faulty-store.ts'
import { Untestable } from '../site/untestable.ts'

const PARTS = 20
const PART = Buffer.alloc(4096, 'x')

/**
 * A handler that writes to the response of `node:http`, part by part, and waits for `drain` where
 * `write()` tells it to. While it waits it holds what it has opened: a cursor, a connection.
 */
export function waitingWriters(): AdapterBehaviourGroup {
  return {
    title: 'a handler that writes in parts and waits for drain',
    behaviours: [
      {
        title: 'has all of them sent on a route that streams',
        async run({ serve, name }) {
          const writer = waitingWriter()
          const site = await serve(writer.handler, { options: { response: 'stream' } })
          const answer = await site.post(name())
          writer.expectTestable()
          assert.equal(answer.status, 200)
          assert.equal(answer.bytes.length, PARTS * PART.length)
        },
      },
      getsToItsEnd('if its response is too large to be kept', 500, {
        options: { maxResponseBytes: 2 * PART.length },
      }),
      getsToItsEnd('if its stream cannot be recorded', 503, {
        options: { response: 'stream' },
        faults: { complete: lostWith(new Error('connection lost')) },
      }),
      getsToItsEnd('if an option fails for its stream', 500, {
        options: {
          response: 'stream',
          disposition() {
            throw new Error('a bug of the app')
          },
        },
      }),
    ],
  }
}

/** Nobody reads what it writes any more, and it must not wait for that for ever. */
function getsToItsEnd(when: string, status: number, differently: Differently): AdapterBehaviour {
  return {
    title: `gets to its end ${when}, and nothing that it writes is sent`,
    async run({ serve, name }) {
      const writer = waitingWriter()
      const site = await serve(writer.handler, differently)
      const answer = await site.post(name())
      writer.expectTestable()
      assert.equal(answer.status, status, answer.text)
      assert.ok(!answer.text.includes('xxxx'), answer.text)
      await eventually('the handler to get to its end', async () => writer.isOver() || undefined)
      // What it wrote must not have got to the next response of the connection either.
      const next = await site.post(name())
      assert.equal(next.status, status, next.text)
    },
  }
}

function waitingWriter(): {
  readonly handler: SiteHandler
  isOver(): boolean
  expectTestable(): void
} {
  let isOver = false
  let isTestable = true

  async function write(response: CallResponse): Promise<void> {
    response.statusCode = 200
    for (let n = 0; n < PARTS; n += 1) {
      if (!response.write(PART)) {
        await new Promise<void>((resolve) => response.once('drain', resolve))
      }
    }
    isOver = true
    response.end()
  }

  return {
    handler({ response }) {
      if (response === undefined) {
        isTestable = false
        return created()
      }
      // It gives the framework no reply of its own.
      return write(response).then(() => new Promise<never>(() => {}))
    },
    isOver: () => isOver,
    expectTestable() {
      if (!isTestable) throw new Untestable('the site has no call.response')
    },
  }
}
