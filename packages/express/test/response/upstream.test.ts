import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Response } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectTo, header, type WireResponse } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

/** How an app forwards an upstream response: all its headers and its body. */
const proxies: Record<string, (from: IncomingMessage, res: Response) => unknown> = {
  'writeHead() with raw headers, and a pipe': (from, res) => {
    res.writeHead(from.statusCode ?? 500, from.statusMessage ?? '', from.rawHeaders)
    from.pipe(res)
  },
  'setHeader() for each, and a pipe': (from, res) => {
    for (const [name, value] of Object.entries(from.headers)) res.setHeader(name, value ?? '')
    from.pipe(res)
  },
  'set() for all, and send()': async (from, res) => {
    res.set(from.headers as Record<string, string>).send(await bytesOf(from))
  },
  'set() for all, and end()': async (from, res) => {
    res.set(from.headers as Record<string, string>).end(await bytesOf(from))
  },
}

const upstreams = {
  'in chunks, with trailers': { trailer: 'x-sum', 'keep-alive': 'timeout=77' },
  'that closes its connection': { connection: 'close', 'x-own': '1' },
  'that names its length': { 'content-length': '11' },
  'with a date of its own': { date: 'Tue, 01 Jan 2019 00:00:00 GMT' },
}

for (const [version, express] of expressVersions) {
  describe(`${version}: an upstream response forwarded by`, () => {
    for (const [how, proxy] of Object.entries(proxies)) {
      test.each(Object.entries(upstreams))(`${how}, %s`, async (_, headers) => {
        const upstream = await upstreamWith(headers)
        const app = quietApp(express)
        app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
        app.post('/', (_, res) => void get(upstream, (from) => void proxy(from, res)))
        const port = await served(app)
        const ends = 'connection' in headers
        let connection = await connectTo(port)
        const answers: WireResponse[] = []
        for (let n = 0; n < 3; n += 1) {
          connection.post('/', { 'Idempotency-Key': 'k' })
          answers.push(await connection.response())
          if (n === 0 && ends) connection = await connectTo(port)
        }
        for (const [n, answer] of answers.entries()) {
          expect(answer.statusLine).toBe('HTTP/1.1 200 OK')
          expect(answer.body.toString()).toBe('hello world')
          expect(header(answer, 'x-idempotency-replayed')).toBe(n === 0 ? undefined : 'true')
          expect(header(answer, 'keep-alive')).not.toBe('timeout=77')
          expect(header(answer, 'connection')).toBe(ends && n === 0 ? 'close' : 'keep-alive')
          expect(header(answer, 'date')).toBeDefined()
          const length = header(answer, 'content-length')
          const coding = header(answer, 'transfer-encoding')
          expect([length, coding].filter(Boolean)).toHaveLength(1)
        }
      })
    }
  })

  test(`${version}: a problem that replaces a forwarded response has a date and a length`, async () => {
    const upstream = await upstreamWith({
      date: 'Tue, 01 Jan 2019 00:00:00 GMT',
      'keep-alive': 'timeout=77',
    })
    const app = quietApp(express)
    const store = memoryStore()
    const once = idempotency({ store, scope: 'dangerously-shared', maxResponseBytes: 5 })
    app.use(express.json(), once)
    const proxy = proxies['writeHead() with raw headers, and a pipe']!
    app.post('/', (_, res) => void get(upstream, (from) => void proxy(from, res)))
    const connection = await connectTo(await served(app))
    for (let n = 0; n < 2; n += 1) {
      connection.post('/', { 'Idempotency-Key': 'k' })
      const answer = await connection.response()
      expect(JSON.parse(answer.body.toString()).code).toBe('response-too-large')
      expect(header(answer, 'keep-alive')).not.toBe('timeout=77')
      expect(header(answer, 'date')).not.toMatch(/2019/)
      expect(header(answer, 'date')).toBeDefined()
    }
  })

  test(`${version}: trailers are sent with the first response only, not with a replay or a problem`, async () => {
    const trailing = (res: Response) => {
      res.setHeader('Trailer', 'X-Sum')
      res.write('abc')
      res.addTrailers({ 'X-Sum': '3' })
      res.end()
    }
    for (const maxResponseBytes of [100, 2]) {
      const app = quietApp(express)
      const store = memoryStore()
      app.use(express.json(), idempotency({ store, scope: 'dangerously-shared', maxResponseBytes }))
      app.post('/', (_, res) => trailing(res))
      const connection = await connectTo(await served(app))
      const seen: unknown[] = []
      for (let n = 0; n < 2; n += 1) {
        connection.post('/', { 'Idempotency-Key': 'k' })
        const answer = await connection.response()
        seen.push([answer.status, header(answer, 'trailer'), answer.trailers.length])
      }
      expect(seen).toEqual(
        maxResponseBytes === 100
          ? [
              [200, 'X-Sum', 1],
              [200, undefined, 0],
            ]
          : Array(2).fill([500, undefined, 0]),
      )
    }
  })

  test(`${version}: a non-ASCII header has the same bytes in the first response and in the replay`, async () => {
    const app = quietApp(express)
    app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
    const name = 'attachment; filename="caf\u00e9.txt"'
    const utf8 = Buffer.from('Zo\u00eb').toString('latin1')
    const writers: Record<string, (res: Response) => unknown> = {
      '/end-text': (res) => res.end('text'),
      '/end-bytes': (res) => res.end(Buffer.from('text')),
      '/write': (res) => {
        res.write('te')
        res.end('xt')
      },
      '/json': (res) => res.json({ id: 1 }),
      '/none': (res) => res.end(),
      '/coded': (res) => res.set('Content-Encoding', 'gzip').end(gzipSync('text')),
    }
    for (const [path, write] of Object.entries(writers)) {
      app.post(path, (_, res) => {
        res.setHeader('Content-Disposition', name)
        res.setHeader('X-Name', utf8)
        write(res)
      })
    }
    const connection = await connectTo(await served(app))
    for (const path of Object.keys(writers)) {
      for (let n = 0; n < 2; n += 1) {
        connection.post(path, { 'Idempotency-Key': path })
        const answer = await connection.response()
        expect(header(answer, 'content-disposition'), path).toBe(name)
        expect(header(answer, 'x-name'), path).toBe(utf8)
      }
    }
  })
}

async function upstreamWith(headers: Readonly<Record<string, string>>): Promise<string> {
  const upstream = createServer((_, res) => {
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
    res.write('hello ')
    res.end('world')
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  return `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
}

async function bytesOf(from: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of from) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
