import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { memoryStore } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { listening } from './http2-front.ts'

const HEAD =
  'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n'

// A proxy that does not know the length of a body sends it in chunks, also an empty one. The
// middleware once made the request emit `end` while it looked whether there was a body: parsers
// behind it answered 499 or 500, and a handler that listened for `end` waited in vain.
test.each([
  ['in one packet with the head', [`${HEAD}0\r\n\r\n`]],
  ['after the head', [HEAD, '0\r\n\r\n']],
])('an empty body of unknown length, %s, still ends for its reader', async (_, packets) => {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  const { url, close } = await listening(
    createServer((req, res) => {
      void once(req as NodeRequest, res, async () => {
        // As long as a claim in a database at least takes.
        for (let turns = 0; turns < 5; turns += 1) await turn()
        let size = 0
        req.on('data', (chunk: Uint8Array) => {
          size += chunk.length
        })
        req.once('end', () => res.end(`${size} bytes`))
      })
    }),
  )
  onTestFinished(close)
  const connection = await connectTo(Number(new URL(url).port))
  for (const packet of packets) {
    connection.write(packet)
    await new Promise((resolve) => connection.socket.write('', resolve))
    await turn()
  }
  expect(String((await connection.response()).body)).toBe('0 bytes')
})
