import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { type HeldStore, heldStore } from './held-store.ts'
import { listening } from './http2-front.ts'

type Once = ReturnType<typeof idempotency>
type Handler = (res: ServerResponse, context: ReturnType<Once['of']>) => unknown

async function serve(store: HeldStore, handle: Handler) {
  const once = idempotency({ store, scope: 'dangerously-shared', response: 'stream' })
  const { url, close } = await listening(
    createServer((req: NodeRequest & IncomingMessage, res) => {
      void once(req, res, () => handle(res, once.of(req)))
    }),
  )
  onTestFinished(close)
  return Number(new URL(url).port)
}

// A bug: nothing ended the response, and the client waited for the rest of it.
test("with response: 'stream' a response that is destroyed while it is recorded breaks off", async () => {
  const store = heldStore()
  let held: ServerResponse | undefined
  const port = await serve(store, (res) => {
    held = res
    res.writeHead(201).write('part')
  })
  const client = await connectTo(port)
  client.post('/', { 'Idempotency-Key': 'k' })
  await store.asked()
  held?.destroy(new Error('broke'))
  store.letGo()
  await client.ended
  expect(client.received()).toMatch(/^HTTP\/1.1 201 Created\r\n.*\r\npart\r\n$/s)
  const retry = await connectTo(port)
  retry.post('/', { 'Idempotency-Key': 'k' })
  expect((await retry.response()).status).toBe(410)
})

test("with response: 'stream' flushHeaders() puts the response on record, as its first byte does", async () => {
  const store = heldStore()
  let code: unknown
  const port = await serve(store, async (res, context) => {
    context.emit({ type: 'chat.asked' })
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    // The head alone is not on its way yet.
    context.emit({ type: 'chat.understood' })
    res.flushHeaders()
    await store.asked()
    try {
      context.emit({ type: 'chat.answered' })
    } catch (error) {
      ;({ code } = error as { code?: unknown })
    }
    store.letGo()
    res.end('data: 1\n\n')
  })
  const client = await connectTo(port)
  client.post('/', { 'Idempotency-Key': 'k' })
  expect(String((await client.response()).body)).toBe('data: 1\n\n')
  expect(code).toBe('attempt-over')
  client.post('/', { 'Idempotency-Key': 'k' })
  expect((await client.response()).status).toBe(410)
})
