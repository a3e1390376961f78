import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Stream } from 'node:stream'
import { memoryStore, OncekeyError } from '@oncekey/core'
import { holdBack, idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { listening } from './http2-front.ts'

type Options = Partial<Parameters<typeof idempotency>[0]>

async function serve(options: Options, handle: (res: ServerResponse) => void) {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })
  const { url, close } = await listening(
    createServer((req: NodeRequest & IncomingMessage, res) => {
      void once(req, res, () => handle(res))
    }),
  )
  onTestFinished(close)
  return await connectTo(Number(new URL(url).port))
}

/** A stream as old libraries make it: events and `pipe`, and nothing that stops it. */
function piped(to: ServerResponse): Stream {
  const source = new Stream()
  source.pipe(to as unknown as NodeJS.WritableStream)
  source.emit('data', 'part')
  return source
}

// A bug: such a stream has no `destroy`, and the TypeError was an unhandled rejection, which ends
// the process.
test('a handler that pipes an old-style stream and takes too long is answered 503', async () => {
  const client = await serve({ handlerTimeoutMs: 20 }, piped)
  client.post('/', { 'Idempotency-Key': 'k' })
  expect((await client.response()).status).toBe(503)
  client.post('/', { 'Idempotency-Key': 'k' })
  expect((await client.response()).status).toBe(503)
})

// A bug: for the same reason the connection was cut.
test('an answer of an old-style stream that cannot be stored keeps its connection', async () => {
  const store = memoryStore()
  const failing: typeof store = {
    ...store,
    async begin(claim) {
      const begun = await store.begin(claim)
      if (begun.kind !== 'run') return begun
      const complete = (): Promise<never> =>
        Promise.reject(new OncekeyError('transaction-aborted', 'A statement had failed.'))
      return { ...begun, attempt: { ...begun.attempt, complete } }
    },
  }
  const client = await serve({ store: failing }, (res) => {
    piped(res)
    res.end()
  })
  for (const key of ['k', 'l']) {
    client.post('/', { 'Idempotency-Key': key })
    const { status, body } = await client.response()
    expect(status).toBe(500)
    expect(JSON.parse(String(body))).toMatchObject({ code: 'transaction-aborted' })
  }
})

// A bug: it went on writing, into the answer of the error handler: bytes of a run that was undone,
// with status 200.
test.each([
  ['that goes on', () => {}],
  ['of a handler that has ended its response', (res: ServerResponse) => res.end()],
])('an old-style stream %s writes nothing into the answer of an error handler', async (_, then) => {
  const disposition = () => {
    throw new Error('an option that fails after the handler')
  }
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    response: 'stream',
    disposition,
  })
  const { url, close } = await listening(
    createServer((req: NodeRequest & IncomingMessage, res) => {
      let source: Stream
      const answer = async (error?: unknown) => {
        if (!error) {
          source = piped(res)
          then(res)
          return
        }
        await new Promise(setImmediate)
        source.emit('data', 'more')
        if (!res.headersSent) res.statusCode = 500
        res.end('sorry')
      }
      void once(req, res, answer)
    }),
  )
  onTestFinished(close)
  const client = await connectTo(Number(new URL(url).port))
  client.post('/', { 'Idempotency-Key': 'k' })
  const { status, body } = await client.response()
  expect([status, JSON.parse(String(body)).code]).toEqual([500, 'option-failed'])
})

// A bug: the error of its own `close()` kept the response from ever being over.
test('a response is over though the close() of its old-style stream throws', async () => {
  const isOver = new Promise((resolve, reject) => {
    const server = createServer((_, res) => {
      const outcome = () => Promise.reject(new Error('not asked for'))
      const run = {
        maxResponseBytes: 100,
        complete: outcome,
        passThrough: outcome,
        abandon: outcome,
      }
      const held = holdBack(res, run)
      const source = Object.assign(new Stream(), {
        close() {
          throw new Error('mine')
        },
      })
      source.pipe(res as unknown as NodeJS.WritableStream)
      held.over.then(resolve, reject)
      try {
        held.replace({ status: 503, headers: [], body: new Uint8Array() })
      } catch (error) {
        reject(error)
      }
    })
    void listening(server).then(async ({ url, close }) => {
      onTestFinished(close)
      const client = await connectTo(Number(new URL(url).port))
      client.post('/')
    }, reject)
  })
  await isOver
})
