import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created, door } from '../site/adapter-context.ts'
import { type BodyCase, bodies } from '../site/reply-bodies.ts'

/** No success is reported before it is true: no byte leaves before the response is on record. */
export function firstByte(): AdapterBehaviourGroup {
  return {
    title: 'the first byte',
    behaviours: bodies().map(waits),
  }
}

function waits({ what, reply }: BodyCase): AdapterBehaviour {
  return {
    title: `of ${what} does not leave before the response is on record`,
    needs: ['attempts side by side'],
    async run({ serve, name, path }) {
      const [completing, commit] = [door(), door()]
      const held = name()
      const site = await serve(() => created(reply()), {
        faults: {
          async complete(complete, { claim }) {
            if (claim?.key !== held) return complete()
            completing.open()
            await commit.opened
            return complete()
          },
        },
      })
      const { port, hostname } = new URL(site.url)
      const socket = connect(Number(port), hostname)
      try {
        let received = ''
        const any = new Promise<void>((resolve) => {
          socket.on('data', (bytes) => {
            received += bytes.toString('latin1')
            resolve()
          })
        })
        socket.write(
          `POST ${path} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: ${held}\r\n` +
            'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
        )
        await completing.opened
        // Several other requests complete meanwhile, so anything that could leave has left.
        for (let other = 0; other < 5; other += 1) await site.post(name())
        assert.equal(received, '')
        commit.open()
        await any
        assert.match(received, /^HTTP\/1\.1 [234]/)
      } finally {
        commit.open()
        socket.destroy()
      }
    },
  }
}
