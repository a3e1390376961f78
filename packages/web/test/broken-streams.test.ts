import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web'
import { expect, test } from 'vitest'

const request = () =>
  new Request('http://shop/orders', { method: 'POST', headers: { 'idempotency-key': 'k' } })

/** A route that streams, whose first stream breaks after these parts and whose others do not. */
function site(parts: readonly string[]) {
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    response: 'stream',
  })
  const runs = { count: 0 }
  async function* body(): AsyncGenerator<Uint8Array> {
    const breaks = runs.count === 1
    // Long after the handler has returned.
    await new Promise(setImmediate)
    for (const part of parts) yield Buffer.from(part)
    if (breaks) throw new Error('broke')
    yield Buffer.from('end')
  }
  const serve = once(() => {
    runs.count += 1
    return new Response(ReadableStream.from(body()), { status: 201 })
  })
  return { runs, serve }
}

test("with response: 'stream' a body that breaks before its first part is undone, and the retry runs", async () => {
  const { runs, serve } = site([])
  await expect(serve(request())).rejects.toThrow('broke')
  const again = await serve(request())
  expect([again.status, await again.text()]).toEqual([201, 'end'])
  expect((await serve(request())).status).toBe(410)
  expect(runs.count).toBe(2)
})

test("with response: 'stream' a body that breaks after its first part breaks off, and stays on record", async () => {
  const { runs, serve } = site(['part'])
  const first = await serve(request())
  expect(first.status).toBe(201)
  const reader = (first.body as ReadableStream<Uint8Array>).getReader()
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('part')
  await expect(reader.read()).rejects.toThrow('broke')
  expect((await serve(request())).status).toBe(410)
  expect(runs.count).toBe(1)
})
