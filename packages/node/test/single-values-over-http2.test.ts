import { once as emitted } from 'node:events'
import { createServer as createHttp1Server, type ServerResponse } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { memoryStore } from '@oncekey/core'
import { type IdempotencyOptions, idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { post } from './connection.ts'
import { listening } from './http2-front.ts'

/** One handler behind one store, over HTTP/2 and over HTTP/1. */
async function served(
  handle: (res: ServerResponse) => void,
  options: Partial<IdempotencyOptions<unknown, NodeRequest>> = {},
) {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const store = memoryStore()
  const once = idempotency({
    store,
    scope: 'dangerously-shared',
    ...options,
    replayHeader: (name) => (name === 'upgrade' ? true : undefined),
  })
  let runs = 0
  const listener = (req: never, res: ServerResponse): void => {
    const next = (error?: unknown): void => {
      if (error !== undefined) return void res.writeHead(500).end('error handling')
      runs += 1
      handle(res)
    }
    once(req, res, next).catch((error) => {
      if (!res.headersSent) res.writeHead(500).end(error.code)
    })
  }
  const server = createServer(listener as never)
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const http1 = await listening(createHttp1Server(listener as never))
  onTestFinished(async () => {
    session.destroy()
    server.close()
    await http1.close()
  })
  return {
    rejections,
    runs: () => runs,
    async over2() {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/',
        'idempotency-key': 'k',
        'content-type': 'application/json',
      })
      const answered = emitted(stream, 'response')
      stream.end('{}')
      const [headers] = await answered
      return { headers, status: headers[':status'], body: await text(stream) }
    },
    over1: () => post(Number(new URL(http1.url).port), '/', { 'Idempotency-Key': 'k' }, '{}'),
  }
}

// A bug: the answer was kept, and then neither it nor a replay could be sent.
test.each([
  ['ERR_HTTP2_HEADER_SINGLE_VALUE', 'content-language', ['de', 'en']],
  ['ERR_HTTP2_INVALID_CONNECTION_HEADERS', 'upgrade', 'h2c'],
])(
  'what HTTP/2 cannot send throws %s in the handler, and nothing is kept',
  async (code, name, value) => {
    const thrown: unknown[] = []
    const site = await served((res) => {
      res.setHeader(name, value)
      try {
        res.end('ok')
      } catch (error) {
        thrown.push((error as { code: string }).code)
        res.removeHeader(name)
        res.writeHead(503).end('undone')
      }
    })
    for (let n = 0; n < 2; n += 1) {
      expect(await site.over2()).toMatchObject({ status: 503, body: 'undone' })
    }
    expect(thrown).toEqual([code, code])
    expect(site.runs()).toBe(2)
  },
)

test('several lines of an answer over HTTP/1 are joined in a replay over HTTP/2', async () => {
  const site = await served((res) => {
    res.setHeader('content-language', ['de', 'en'])
    res.setHeader('x-own', ['1', '2'])
    res.setHeader('upgrade', 'h2c')
    res.end('ok')
  })
  expect((await site.over1()).status).toBe(200)
  const { headers, status, body } = await site.over2()
  expect([status, body]).toEqual([200, 'ok'])
  expect(headers['content-language']).toBe('de, en')
  expect(headers['x-own']).toBe('1, 2')
  expect(headers.upgrade).toBeUndefined()
  expect(site.runs()).toBe(1)
})

// A bug: the headers of the answer stayed, and error handling failed in turn.
test('a replay that cannot be sent leaves the response to error handling', async () => {
  const handle = (res: ServerResponse): void => {
    res.setHeader('content-language', 'de')
    res.writeHead(700).end('ok')
  }
  const site = await served(handle, { disposition: () => 'commit' })
  expect((await site.over1()).status).toBe(700)
  const { headers, status, body } = await site.over2()
  expect([status, body]).toEqual([500, 'error handling'])
  expect(headers['content-language']).toBeUndefined()
  expect(site.rejections).toEqual([])
  expect(site.runs()).toBe(1)
})
