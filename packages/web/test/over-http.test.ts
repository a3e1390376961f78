import { createServer, request as request1 } from 'node:http'
import { connect, createServer as createServer2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { createAdaptorServer } from '@hono/node-server'
import type { Handler, Hono } from 'hono'
import { compress } from 'hono/compress'
import { streamSSE, streamText } from 'hono/streaming'
import { describe, expect, onTestFinished, test } from 'vitest'
import { site } from './hono-app.ts'

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

const order = { lines: Array.from({ length: 200 }, (_, line) => ({ line, sku: 'violin' })) }

const handlers: Record<string, Handler> = {
  'streams text': (c) => streamText(c, async (out) => void (await out.write('text'))),
  'streams events': (c) => streamSSE(c, (out) => out.writeSSE({ data: 'event' })),
  'hands on what fetch got in chunks': async () => fetch(await chunkedUpstream()),
  'says how it is framed': (c) =>
    c.body('text', 200, { 'transfer-encoding': 'chunked', connection: 'close', trailer: 'x-a' }),
  'says another length': (c) => c.body('text', 200, { 'content-length': '3' }),
  'has a head beyond ASCII': (c) => c.json({ id: 1 }, 200, { 'x-name': 'caf\u00e9' }),
  'has an empty header': (c) => c.text('text', 200, { 'x-empty': '' }),
  'has an empty coded body': (c) => c.body(null, 202, { 'content-encoding': 'gzip' }),
  'has no content': (c) => c.body(null, 204, { 'content-encoding': 'gzip' }),
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('Hono over %s', (version) => {
  for (const [name, handler] of Object.entries(handlers)) {
    test(`a handler that ${name} is readable, first and replayed`, async () => {
      const { app, once } = site()
      app.post('/', once, handler)
      const ask = await served(app, version)
      const first = await ask()
      const again = await ask()
      expect(again.headers['x-idempotency-replayed']).toBe('true')
      expect([again.status, again.body]).toEqual([first.status, first.body])
      const { 'x-idempotency-replayed': _, ...kept } = again.headers
      expect(ofTheResponse(kept)).toEqual(ofTheResponse(first.headers))
      expect(first.headers.trailer).toBeUndefined()
    })
  }

  test('compress() inside replays one response readably to every client', async () => {
    const { app, once } = site()
    let runs = 0
    app.post('/', once, compress(), (c) => {
      runs += 1
      return c.json(order)
    })
    const ask = await served(app, version)
    const first = await ask('gzip')
    expect(JSON.parse(gunzipSync(first.body).toString())).toEqual(order)
    expect((await ask('gzip, br')).body).toEqual(first.body)
    expect((await ask()).body).toEqual(first.body)
    const plain = await ask('br')
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(JSON.parse(plain.body.toString())).toEqual(order)
    expect(runs).toBe(1)
  })

  test('compress() outside compresses every replay', async () => {
    const { app, once } = site()
    app.post('/', compress(), once, (c) => c.json(order))
    const ask = await served(app, version)
    for (let n = 0; n < 2; n += 1) {
      const coded = await ask('gzip')
      expect(coded.headers['content-encoding']).toBe('gzip')
      expect(JSON.parse(gunzipSync(coded.body).toString())).toEqual(order)
    }
    const plain = await ask('identity')
    expect(plain.headers['content-encoding']).toBeUndefined()
    expect(JSON.parse(plain.body.toString())).toEqual(order)
  })
})

/** Without the headers of one message: a connection that a handler closes is closed once. */
function ofTheResponse(headers: Got['headers']): Record<string, unknown> {
  const { date: _, connection: __, 'keep-alive': ___, ...rest } = headers
  return rest
}

async function chunkedUpstream(): Promise<string> {
  const upstream = createServer((_, res) => {
    res.write('a')
    res.end('b')
  })
  return urlOf(upstream)
}

/** Serves an app and repeats a request under the same key. */
async function served(
  app: Hono,
  version: 'HTTP/1.1' | 'HTTP/2',
): Promise<(acceptEncoding?: string) => Promise<Got>> {
  const { fetch } = app
  const isHttp2 = version === 'HTTP/2'
  const server = isHttp2
    ? createAdaptorServer({ fetch, createServer: createServer2 })
    : createAdaptorServer({ fetch })
  const url = await urlOf(server as ReturnType<typeof createServer>)
  return (acceptEncoding) => {
    const headers = {
      'idempotency-key': 'k',
      ...(acceptEncoding !== undefined && { 'accept-encoding': acceptEncoding }),
    }
    return isHttp2 ? askOver2(url, headers) : askOver1(url, headers)
  }
}

async function urlOf(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function askOver1(url: string, headers: Record<string, string>): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request1(url, { method: 'POST', headers })
    asked.on('error', reject)
    asked.on('response', async (response) => {
      const { statusCode: status = 0, headers } = response
      resolve({ status, headers, body: await bytesOf(response) })
    })
    asked.end()
  })
}

function askOver2(url: string, headers: Record<string, string>): Promise<Got> {
  const session = connect(url)
  onTestFinished(() => session.destroy())
  return new Promise((resolve, reject) => {
    session.on('error', reject)
    const asked = session.request({ ':method': 'POST', ':path': '/', ...headers })
    asked.on('error', reject)
    asked.on('response', async ({ ':status': status = 0, ...headers }) => {
      resolve({ status, headers: { ...headers }, body: await bytesOf(asked) })
    })
    asked.end()
  })
}

async function bytesOf(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
