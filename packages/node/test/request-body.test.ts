import { once as happens } from 'node:events'
import { createServer } from 'node:http'
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { type IdempotencyOptions, idempotency, type NodeRequest } from '@oncekey/node'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectTo, header, post } from './connection.ts'
import { listening } from './http2-front.ts'

type Options = Partial<IdempotencyOptions<unknown, NodeRequest>>

function middleware(options: Options = {}) {
  return idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options } as never)
}

/** Responds with what the handler read. */
async function echo(req: NodeRequest, res: import('node:http').ServerResponse): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of req) chunks.push(chunk as Uint8Array)
  res.end(Buffer.concat(chunks))
}

async function serveEcho(
  options?: Options,
  before?: (req: NodeRequest) => unknown,
): Promise<number> {
  const once = middleware(options)
  const { url, close } = await listening(
    createServer(async (req: NodeRequest, res) => {
      await before?.(req)
      void once(req, res, async (error) => {
        if (error) res.writeHead(500).end(String((error as { code?: string }).code ?? error))
        else await echo(req, res)
      })
    }),
  )
  onTestFinished(close)
  return Number(new URL(url).port)
}

const key = { 'Idempotency-Key': 'k' }

test('reads signatures and keys from the received bytes even with a custom fingerprint', async () => {
  const signed: string[] = []
  const port = await serveEcho({
    fingerprint: async (_, bytes) => JSON.parse(Buffer.from(await bytes()).toString()).id,
    key: async (_, raw) => JSON.parse(Buffer.from(await raw()).toString()).id,
    authenticate: (_, bytes) => void signed.push(Buffer.from(bytes).toString()),
  })
  for (const body of ['{"id":"o-1"}', '{"id":"o-1","at":2}']) {
    const answer = await post(port, '/', {}, body)
    expect([answer.status, String(answer.body)]).toEqual([200, '{"id":"o-1"}'])
    expect(signed.pop()).toBe(body)
  }
})

describe('a body without a parser', () => {
  test.each([
    ['small', '{"amount":1}'],
    ['of one byte', 'x'],
    ['larger than what a stream holds at once', 'x'.repeat(500_000)],
  ])('is read, distinguishes requests, and remains for the handler: %s', async (_, body) => {
    const port = await serveEcho()
    for (const _ of ['first', 'again']) {
      expect(String((await post(port, '/', key, body)).body)).toBe(body)
    }
    expect((await post(port, '/', key, `${body} `)).status).toBe(body.startsWith('{') ? 200 : 422)
    expect((await post(port, '/', key, 'other')).status).toBe(422)
  })

  test('arrives in pieces, each after the server has taken the previous one', async () => {
    const port = await serveEcho()
    const connection = await connectTo(port)
    connection.write(
      'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    for (const piece of ['one ', 'two ', 'three']) {
      connection.write(`${piece.length.toString(16)}\r\n${piece}\r\n`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    connection.write('0\r\n\r\n')
    expect(String((await connection.response()).body)).toBe('one two three')
    connection.post('/', key, 'one two three')
    expect(header(await connection.response(), 'x-idempotency-replayed')).toBeUndefined()
  })

  test('over maxRequestBytes is refused, with or without a stated length', async () => {
    const port = await serveEcho({ maxRequestBytes: 10 })
    const said = await post(port, '/', key, 'x'.repeat(11))
    expect([said.status, JSON.parse(String(said.body)).code]).toEqual([413, 'request-too-large'])
    const connection = await connectTo(port)
    connection.write(
      'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nxxxxxxxx\r\n8\r\nxxxxxxxx\r\n0\r\n\r\n',
    )
    expect((await connection.response()).status).toBe(413)
    expect((await post(port, '/', key, 'x'.repeat(10))).status).toBe(200)
  })

  test('that the client aborts claims nothing', async () => {
    const failed = vi.fn()
    const once = middleware()
    const { url, close } = await listening(
      createServer((req, res) => {
        void once(req, res, (error) => (error ? failed(error) : res.end('ran')))
      }),
    )
    onTestFinished(close)
    const port = Number(new URL(url).port)
    const connection = await connectTo(port)
    connection.write(
      'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: 100\r\n\r\nhalf',
    )
    await new Promise((resolve) => setImmediate(resolve))
    connection.socket.destroy()
    await vi.waitFor(() => expect(failed).toHaveBeenCalledOnce())
    expect(failed.mock.calls[0]?.[0]).toMatchObject({ message: 'request aborted', status: 400 })
    expect(String((await post(port, '/', key, 'whole')).body)).toBe('ran')
  })

  test('that something else has read causes an error with advice, unless req.body is set', async () => {
    const drained = (req: NodeRequest) => happens(req.resume(), 'end')
    const unseen = await post(await serveEcho({}, drained), '/', key, 'x')
    expect([unseen.status, String(unseen.body)]).toEqual([500, 'body-unseen'])
    const port = await serveEcho({}, async (req) => {
      req.body = JSON.parse(String(await new Response(await read(req)).text()))
    })
    expect((await post(port, '/', key, '{"a":1}')).status).toBe(200)
    expect((await post(port, '/', key, '{ "a": 1 }')).status).toBe(200)
    expect((await post(port, '/', key, '{"a":2}')).status).toBe(422)
  })

  test('is passed to `fingerprint` and remains for the handler', async () => {
    const port = await serveEcho({
      fingerprint: async (_, bytes) => JSON.parse(String(await bytes())).amount,
    })
    expect(String((await post(port, '/', key, '{"amount":1,"at":1}')).body)).toContain('"at":1')
    expect(String((await post(port, '/', key, '{"amount":1,"at":2}')).body)).toContain('"at":1')
    expect((await post(port, '/', key, '{"amount":2,"at":1}')).status).toBe(422)
  })

  test('is requested from a client that expects 100, even if the app handles checkContinue', async () => {
    for (const decides of [false, true]) {
      const once = middleware()
      const server = createServer()
      server.on(decides ? 'checkContinue' : 'request', (req, res) => {
        void once(req, res, () => echo(req, res))
      })
      const { url, close } = await listening(server)
      onTestFinished(close)
      const connection = await connectTo(Number(new URL(url).port))
      connection.write(
        'POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n',
      )
      await vi.waitFor(() => expect(connection.received()).toContain('100 Continue'))
      connection.write('body')
      const response = await connection.response()
      expect(response.informational).toEqual(['HTTP/1.1 100 Continue'])
      expect(String(response.body)).toBe('body')
    }
  })

  test('is not read without a key', async () => {
    const port = await serveEcho({ required: false, maxRequestBytes: 1 })
    expect(String((await post(port, '/', {}, 'long enough')).body)).toBe('long enough')
  })
})

describe('a body that is announced but empty counts as none', () => {
  test('over HTTP/1.1, chunked, at once and late', async () => {
    const port = await serveEcho()
    expect((await post(port, '/', key, '')).status).toBe(200)
    for (const late of [false, true]) {
      const connection = await connectTo(port)
      const head =
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n'
      if (late) {
        connection.write(head)
        await new Promise((resolve) => setImmediate(resolve))
        connection.write('0\r\n\r\n')
      } else connection.write(`${head}0\r\n\r\n`)
      const response = await connection.response()
      expect(response.status).toBe(200)
      expect(header(response, 'x-idempotency-replayed')).toBe('true')
    }
  })

  test.each(['with its head', 'after its head'])('over HTTP/2, ended %s', async (when) => {
    const once = middleware()
    const server: Http2Server = createHttp2Server((req, res) => {
      void once(req as never, res as never, () => echo(req as never, res as never))
    })
    await new Promise<void>((resolve) => server.listen(0, resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      session.destroy()
      server.close()
    })
    for (const replayed of [undefined, 'true']) {
      const stream = session.request(
        { ':method': 'POST', 'idempotency-key': 'k' },
        { endStream: when === 'with its head' },
      )
      if (when !== 'with its head') stream.end()
      const [headers] = await happens(stream, 'response')
      expect([headers[':status'], headers['x-idempotency-replayed']]).toEqual([200, replayed])
      stream.resume()
    }
  })
})

async function read(req: NodeRequest): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of req) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
