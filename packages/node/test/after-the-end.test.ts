import { createServer, type ServerOptions, type ServerResponse } from 'node:http'
import { type MemoryTransaction, memoryStore, type Store } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { heldStore } from './held-store.ts'
import { listening } from './http2-front.ts'

type Done = (error?: unknown) => void

async function serve(
  handle: (res: ServerResponse) => void,
  {
    store = memoryStore(),
    methods = ['POST'],
    ...server
  }: ServerOptions & { store?: Store<MemoryTransaction>; methods?: readonly string[] } = {},
) {
  const once = idempotency({ store, scope: 'dangerously-shared', methods })
  const { url, close } = await listening(
    createServer(server, (req: NodeRequest, res) => void once(req, res, next(res))),
  )
  const next = (res: ServerResponse) => (error?: unknown) =>
    error === undefined ? handle(res) : res.destroy()
  onTestFinished(close)
  return connectTo(Number(new URL(url).port))
}

// A bug: the response emitted an error, which ended the process unless the app listened for it.
// Bare, the response of a heartbeat that is stopped by `close` is closed by then.
test.each([
  ['write', (res: ServerResponse, done: Done) => res.write(' ', done)],
  ['end', (res: ServerResponse, done: Done) => res.end(' ', done)],
])('a late %s() is dropped without an error while the response is stored', async (_, late) => {
  const store = heldStore()
  const errors: unknown[] = []
  let held: ServerResponse | undefined
  const client = await serve(
    (res) => {
      held = res.on('error', (error) => errors.push(error))
      res.end('done')
    },
    { store },
  )
  client.post('/', { 'Idempotency-Key': 'k' })
  await store.asked()
  const told = new Promise((resolve) => late(held as ServerResponse, resolve))
  expect(await told).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' })
  store.letGo()
  expect(String((await client.response()).body)).toBe('done')
  expect(errors).toEqual([])
})

// A bug: the response was stored, then Node threw, and the client got nothing.
test.each([204, 304])(
  'a body with %d is left out on a server that throws for it, too',
  async (status) => {
    const client = await serve((res) => void res.writeHead(status).end('a body'), {
      rejectNonStandardBodyWrites: true,
    })
    for (let n = 0; n < 2; n += 1) {
      client.post('/', { 'Idempotency-Key': 'k' })
      expect((await client.response()).status).toBe(status)
    }
  },
)

// A bug: Node threw while the problem was sent, and nobody answered the client.
test('a problem that answers HEAD has no body on such a server', async () => {
  const client = await serve((res) => void res.end(), {
    rejectNonStandardBodyWrites: true,
    methods: ['HEAD'],
  })
  client.write('HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect((await client.response()).status).toBe(400)
})
