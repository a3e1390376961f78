import { createServer, type ServerResponse } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo, header } from './connection.ts'
import { listening } from './http2-front.ts'

/** Serves a handler with a server that shuts down while it runs, as http-terminator does. */
async function closedMeanwhile(handle: (res: ServerResponse) => void): Promise<number> {
  const store = memoryStore()
  const once = idempotency({ store, scope: 'dangerously-shared', maxResponseBytes: 10 })
  let isDown = false
  const { url, close } = await listening(
    createServer((req, res) => {
      void once(req, res, () => {
        if (!isDown) res.setHeader('Connection', 'close')
        isDown = true
        handle(res)
      })
    }),
  )
  onTestFinished(close)
  return Number(new URL(url).port)
}

// A bug: the header was taken for the handler's and removed, so the connection stayed, and
// http-terminator waited its whole grace period.
test.each([
  ['the response of a handler', 'done', 'done'],
  ['a problem in its place', 'more than ten bytes', 'response-too-large'],
])(
  'a shutdown ends the connection with %s, and a retry keeps one of its own',
  async (_, body, told) => {
    const port = await closedMeanwhile((res) => res.end(body))
    const first = await connectTo(port)
    first.post('/', { 'Idempotency-Key': 'k' })
    const answer = await first.response()
    expect(String(answer.body)).toContain(told)
    expect(header(answer, 'connection')).toBe('close')
    await first.ended

    const later = await connectTo(port)
    for (let n = 0; n < 2; n += 1) {
      later.post('/', { 'Idempotency-Key': 'k' })
      const again = await later.response()
      expect(String(again.body)).toContain(told)
      expect(header(again, 'connection')).toBe('keep-alive')
    }
  },
)
