import { Readable } from 'node:stream'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web'
import { describe, expect, test } from 'vitest'
import { site } from './hono-app.ts'

const MEGABYTE = 1024 * 1024

/** A Response whose body is a Node stream that emits all it holds at once. */
function streamed(megabytes: number): Response {
  const chunk = Buffer.alloc(64 * 1024, 'a')
  const chunks = Array.from({ length: (megabytes * MEGABYTE) / chunk.length }, () => chunk)
  return new Response(Readable.toWeb(Readable.from(chunks)) as ReadableStream, { status: 201 })
}

const request = () =>
  new Request('http://shop/orders', { method: 'POST', headers: { 'idempotency-key': 'k' } })

// Node's own web stream, if it is cancelled in the tick in which it was read, throws where nobody
// can catch the error, and ends the process.
describe('a stream of Node in a Response', () => {
  test('past the limit is undone, and ends no process', async () => {
    const { app, once } = site()
    app.post('/orders', once, () => streamed(50))
    for (let n = 0; n < 3; n++) {
      const answer = await app.request(request())
      expect(answer.status).toBe(500)
      expect(await answer.json()).toMatchObject({ code: 'response-too-large' })
    }
    await settled()
  })

  test('that a client stops reading ends no process', async () => {
    const once = idempotency({
      store: memoryStore({ mode: 'lease' }),
      scope: 'dangerously-shared',
      response: 'stream',
    })
    const answer = await once(() => streamed(50))(request())
    const reader = answer.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await settled()
  })

  test('within a larger limit is stored whole, and replayed', { timeout: 60_000 }, async () => {
    const once = idempotency({
      store: memoryStore(),
      scope: 'dangerously-shared',
      maxResponseBytes: 64 * MEGABYTE,
    })
    const serve = once(() => streamed(50))
    const [first, again] = [await serve(request()), await serve(request())]
    expect(again.headers.get('x-idempotency-replayed')).toBe('true')
    const [sent, replayed] = [await first.arrayBuffer(), await again.arrayBuffer()]
    expect(sent.byteLength).toBe(50 * MEGABYTE)
    expect(Buffer.from(replayed).equals(Buffer.from(sent))).toBe(true)
  })
})

/** Resolves when everything that was put off to a later turn has run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
}
