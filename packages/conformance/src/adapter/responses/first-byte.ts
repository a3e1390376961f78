import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created } from '../site/adapter-context.ts'
import { pausingCommit } from '../site/pauses.ts'
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
      const held = name()
      const { faults, completing, commit } = pausingCommit((claim) => claim?.key === held)
      const site = await serve(() => created(reply()), { faults })
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
        await completing
        // Several other requests complete meanwhile, so anything that could leave has left.
        for (let other = 0; other < 5; other += 1) await site.post(name())
        assert.equal(received, '')
        commit()
        await any
        assert.match(received, /^HTTP\/1\.1 [234]/)
      } finally {
        commit()
        socket.destroy()
      }
    },
  }
}
