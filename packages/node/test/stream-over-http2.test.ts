import { once as emitted } from 'node:events'
import { connect, createServer, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { PassThrough, pipeline, Readable } from 'node:stream'
import { type MemoryTransaction, memoryStore } from '@oncekey/core'
import { type IdempotencyMiddleware, idempotency } from '@oncekey/node'
import { describe, expect, onTestFinished, test } from 'vitest'

type Handler = (res: Http2ServerResponse) => void

/** A site over HTTP/2 whose handler writes a row before it answers. */
async function site(
  handler: Handler,
  mode: 'transaction' | 'lease',
  options: Partial<Parameters<typeof idempotency<MemoryTransaction>>[0]> = {},
) {
  const store = memoryStore({ mode })
  const once: IdempotencyMiddleware<MemoryTransaction, never> = idempotency({
    store,
    scope: 'dangerously-shared',
    ...options,
  })
  const runs = { count: 0 }
  const server = createServer((req, res) => {
    void once(req as never, res as never, async () => {
      runs.count += 1
      if (options.response !== 'stream') (await once.of(req as never).transaction()).set('row', 1)
      handler(res)
    })
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  async function ask() {
    const request = client.request({ ':method': 'POST', 'idempotency-key': 'k' })
    const answer = { status: 0, kind: '', replayed: false, body: '', rows: 0 }
    request.on('response', (headers) => {
      answer.status = headers[':status'] as number
      answer.kind = String(headers['x-kind'])
      answer.replayed = headers['x-idempotency-replayed'] !== undefined
      answer.rows = store.data.size
    })
    request.on('data', (chunk) => {
      answer.body += chunk
    })
    request.on('error', () => {})
    request.end()
    await new Promise((resolve) => request.on('close', resolve))
    return answer
  }
  return { ask, runs, store }
}

const HEAD = { ':status': 201, 'x-kind': 'own' }

const handlers: Record<string, Handler> = {
  'respond() and end()': ({ stream }) => {
    stream.respond(HEAD)
    stream.end('answer')
  },
  'write() and end(), later': ({ stream }) => {
    setImmediate(() => {
      stream.respond(HEAD)
      stream.write('ans')
      setImmediate(() => stream.end('wer'))
    })
  },
  'a pipe': ({ stream }) => {
    stream.respond(HEAD)
    Readable.from(['ans', 'wer']).pipe(stream)
  },
  'a pipeline': ({ stream }) => {
    stream.respond(HEAD)
    pipeline(Readable.from(['ans', 'wer']), new PassThrough(), stream, () => {})
  },
  'a pipe, after writeHead() of the response': (res) => {
    res.writeHead(201, { 'x-kind': 'own' })
    Readable.from(['ans', 'wer']).pipe(res.stream)
  },
}

for (const mode of ['transaction', 'lease'] as const) {
  describe(`a handler that answers on its HTTP/2 stream (${mode} mode) by`, () => {
    test.each(Object.entries(handlers))('%s runs once, and is replayed', async (_, handler) => {
      const { ask, runs } = await site(handler, mode)
      const first = { status: 201, kind: 'own', replayed: false, body: 'answer', rows: 1 }
      expect(await ask()).toEqual(first)
      expect(await ask()).toEqual({ ...first, replayed: true })
      expect(runs.count).toBe(1)
    })

    test('respond() alone, with the end or a status without a body, is replayed', async () => {
      for (const [status, endStream] of [
        [201, true],
        [204, false],
      ] as const) {
        const { ask, runs } = await site(({ stream }) => {
          stream.respond({ ':status': status, 'x-kind': 'own' }, { endStream })
        }, mode)
        expect(await ask()).toMatchObject({ status, kind: 'own', replayed: false, body: '' })
        expect(await ask()).toMatchObject({ status, kind: 'own', replayed: true, body: '' })
        expect(runs.count).toBe(1)
      }
    })
  })
}

test('a handler that sees whether its stream has sent headers is told as without holding back', async () => {
  const seen: boolean[] = []
  const { ask } = await site(({ stream }) => {
    seen.push(stream.headersSent)
    stream.respond(HEAD)
    seen.push(stream.headersSent)
    stream.end('answer')
  }, 'transaction')
  expect(await ask()).toMatchObject({ status: 201, body: 'answer' })
  expect(seen).toEqual([false, true])
})

test('a stream over the limit is refused, and nothing of it is kept', async () => {
  const { ask, store } = await site(
    ({ stream }) => {
      stream.respond(HEAD)
      Readable.from(['answer', 'answer']).pipe(stream)
    },
    'transaction',
    { maxResponseBytes: 8 },
  )
  expect(await ask()).toMatchObject({ status: 500, kind: 'undefined' })
  expect(store.data.size).toBe(0)
})

test('a streaming route passes a pipe to its stream through', async () => {
  const { ask } = await site(
    ({ stream }) => {
      stream.respond(HEAD)
      Readable.from(Array.from({ length: 100 }, () => 'x'.repeat(10_000))).pipe(stream)
    },
    'lease',
    { response: 'stream' },
  )
  const { status, body } = await ask()
  expect([status, body.length]).toEqual([201, 1_000_000])
})

test('a file sent by name is undone and not acknowledged', async () => {
  const { ask, runs, store } = await site(({ stream }) => {
    stream.respondWithFile(import.meta.filename, HEAD)
  }, 'transaction')
  for (const run of [1, 2]) {
    expect(await ask()).toMatchObject({ status: 0, body: '' })
    expect(runs.count).toBe(run)
  }
  expect(store.data.size).toBe(0)
})

test('what is written to the stream after its handler was given up is ignored', async () => {
  let late = (): void => {}
  const { ask } = await site(
    ({ stream }) => {
      late = () => {
        stream.respond(HEAD)
        stream.write('late')
        stream.end('late')
      }
    },
    'transaction',
    { handlerTimeoutMs: 50 },
  )
  expect(await ask()).toMatchObject({ status: 503, kind: 'undefined' })
  expect(late).not.toThrow()
})
