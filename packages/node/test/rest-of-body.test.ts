import { createServer } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { listening } from './http2-front.ts'

// Node discards the rest of a body that nobody has read, and would never reach the next request of
// the connection behind one that somebody has begun to read.
test('a body that is too large does not hold up the next request', async () => {
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    maxRequestBytes: 100_000,
  })
  const { url, close } = await listening(
    createServer((req, res) => void once(req as NodeRequest, res, () => res.end('done'))),
  )
  onTestFinished(close)
  const connection = await connectTo(Number(new URL(url).port))
  const size = 1_000_000
  connection.write(
    'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: a\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
  )
  connection.write(Buffer.alloc(size))
  connection.write('\r\n0\r\n\r\n')
  connection.post('/', { 'Idempotency-Key': 'b' })
  expect((await connection.response()).status).toBe(413)
  expect((await connection.response()).status).toBe(200)
})
