import { hash } from 'node:crypto'
import { PassThrough, type Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import compress from '@fastify/compress'
import multipart from '@fastify/multipart'
import { memoryStore } from '@oncekey/core'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, post, type Sent } from './app.ts'

const statusOf = async (app: FastifyInstance, sent: Sent) =>
  (await post(app, '/x', { key: 'k', ...sent })).status

describe('parsers work as without the plugin', () => {
  const PARSERS: Record<string, (app: FastifyInstance) => void> = {
    'as a string'(app) {
      app.addContentTypeParser(
        'text/csv',
        { parseAs: 'string' },
        async (_: unknown, body: string) => body,
      )
    },
    'as a buffer'(app) {
      app.addContentTypeParser(
        'text/csv',
        { parseAs: 'buffer' },
        async (_: unknown, body: Buffer) => body.toString(),
      )
    },
    'of a stream, late'(app) {
      app.addContentTypeParser('text/csv', async (_: unknown, body: Readable) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        return text(body)
      })
    },
    'with listeners, late'(app) {
      app.addContentTypeParser('text/csv', (_request, body, done) => {
        setTimeout(() => {
          let whole = ''
          body.setEncoding('utf8')
          body.on('data', (chunk) => {
            whole += chunk
          })
          body.on('end', () => done(null, whole))
        }, 20)
      })
    },
    'with readable events'(app) {
      app.addContentTypeParser('text/csv', (_request, body, done) => {
        const chunks: Buffer[] = []
        body.on('readable', () => {
          for (let chunk = body.read(); chunk !== null; chunk = body.read()) chunks.push(chunk)
        })
        body.on('end', () => done(null, Buffer.concat(chunks).toString()))
      })
    },
    'through a pipe'(app) {
      app.addContentTypeParser('text/csv', async (_: unknown, body: Readable) =>
        text(body.pipe(new PassThrough())),
      )
    },
  }

  for (const [name, add] of Object.entries(PARSERS)) {
    test(name, async () => {
      const { app } = await coveredApp()
      add(app)
      app.post('/x', async (request) => ({ got: request.body }))
      const headers = { 'content-type': 'text/csv' }
      const first = await post(app, '/x', { key: 'k', headers, chunks: ['a,ü\n', 'b,2\n'] })
      expect(first.body).toBe('{"got":"a,ü\\nb,2\\n"}')
      expect(await statusOf(app, { headers, chunks: ['a,ü\nb,2\n'] })).toBe(200)
      expect(await statusOf(app, { headers, chunks: ['a,ü\nb,3\n'] })).toBe(422)
    })
  }

  test('bodyLimit of the app and of a route applies', async () => {
    const { app } = await coveredApp({ server: { bodyLimit: 100 } })
    app.post('/x', async () => 'ok')
    app.post('/small', { bodyLimit: 10 }, async () => 'ok')
    const body = JSON.stringify('a'.repeat(50))
    expect(await statusOf(app, { body })).toBe(200)
    expect(await statusOf(app, { body: JSON.stringify('a'.repeat(200)) })).toBe(413)
    expect(
      await statusOf(app, {
        chunks: ['"', 'a'.repeat(200), '"'],
        headers: { 'content-type': 'application/json' },
      }),
    ).toBe(413)
    expect((await post(app, '/small', { key: 'k', body })).status).toBe(413)
  })

  test('a body that nobody has read before the handler causes an error with advice', async () => {
    const { app } = await coveredApp()
    app.addContentTypeParser('*', (_request, _body, done) => done(null))
    app.post('/x', async () => 'ok')
    const headers = { 'content-type': 'video/mp4' }
    const got = await post(app, '/x', { key: 'k', headers, body: Buffer.from('frames') })
    expect(got.status).toBe(500)
    expect(JSON.parse(got.body)).toMatchObject({
      code: 'body-unseen',
      message: expect.stringContaining('fingerprint: (request)'),
    })
  })

  test('a custom fingerprint may be asynchronous', async () => {
    const { app } = await coveredApp({
      fingerprint: async (request) => request.headers['content-digest'],
    })
    app.addContentTypeParser('*', (_request, body, done) => done(null, body))
    app.post('/x', async (request) => ({ got: await text(request.body as Readable) }))
    const sent = (digest: string, body: string) => ({
      body,
      headers: { 'content-type': 'video/mp4', 'content-digest': digest },
    })
    const first = await post(app, '/x', { key: 'k', ...sent('1', 'frames') })
    expect(first.body).toBe('{"got":"frames"}')
    expect(await statusOf(app, sent('1', 'frames'))).toBe(200)
    expect(await statusOf(app, sent('2', 'frames'))).toBe(422)
  })
})

describe('multipart', () => {
  const form = async (value: string, contents = 'contents') => {
    const request = new Request('http://x', {
      method: 'POST',
      body: Object.entries({ item: value }).reduce((data, [name, part]) => {
        data.append(name, part)
        data.append('file', new Blob([contents]), 'file.txt')
        return data
      }, new FormData()),
    })
    return {
      body: Buffer.from(await request.arrayBuffer()),
      headers: { 'content-type': request.headers.get('content-type') as string },
    }
  }

  test('needs a custom fingerprint, and says so', async () => {
    const { app } = await coveredApp()
    await app.register(multipart)
    app.post('/x', async () => 'ok')
    const got = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(JSON.parse(got.body)).toMatchObject({ statusCode: 500, code: 'fingerprint-required' })
  })

  test('streams files into the handler as without the plugin', async () => {
    const { app } = await coveredApp()
    await app.register(multipart)
    const fingerprint = () => 'one upload'
    app.post('/x', { config: { idempotency: { fingerprint } } }, async (request) => {
      const parts: string[] = []
      for await (const part of request.parts()) {
        parts.push(part.type === 'file' ? await text(part.file) : String(part.value))
      }
      return { parts }
    })
    const first = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(first.body).toBe('{"parts":["kettle","contents"]}')
    const again = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(again).toMatchObject({ body: first.body, replayed: true })
  })

  test('can use fields attached to the body as the fingerprint', async () => {
    const { app } = await coveredApp({
      fingerprint: (request) => (request.body as { item: { value: string } }).item.value,
    })
    await app.register(multipart, { attachFieldsToBody: true })
    app.post('/x', async () => 'ok')
    expect(await statusOf(app, await form('kettle'))).toBe(200)
    expect(await statusOf(app, await form('kettle'))).toBe(200)
    expect(await statusOf(app, await form('pan'))).toBe(422)
  })

  test('is refused where the fingerprint looks for fields that nobody has parsed', async () => {
    // Two uploads were the same request: without attachFieldsToBody the body is undefined.
    const { app, store } = await coveredApp({
      fingerprint: ({ body }) => ({ item: (body as { item?: unknown } | undefined)?.item }),
    })
    await app.register(multipart)
    app.post('/x', async () => 'ok')
    const got = await post(app, '/x', { key: 'k', ...(await form('kettle')) })
    expect(JSON.parse(got.body)).toMatchObject({
      code: 'body-unseen',
      message: expect.stringContaining('attachFieldsToBody'),
    })
    expect(store.data.size).toBe(0)
  })

  test('tells uploads apart by their files, which attachFieldsToBody has read', async () => {
    type Form = { readonly item: { value: string }; readonly file: { toBuffer(): Promise<Buffer> } }
    const { app } = await coveredApp({
      fingerprint: async ({ body }) => {
        const { item, file } = body as Form
        return { item: item.value, file: hash('sha256', await file.toBuffer()) }
      },
    })
    await app.register(multipart, { attachFieldsToBody: true })
    app.post('/x', async (request) => (await (request.body as Form).file.toBuffer()).toString())
    const first = await post(app, '/x', { key: 'k', ...(await form('kettle', 'one')) })
    expect(first).toMatchObject({ status: 200, body: 'one' })
    const again = await post(app, '/x', { key: 'k', ...(await form('kettle', 'one')) })
    expect(again).toMatchObject({ status: 200, body: 'one', replayed: true })
    expect(await statusOf(app, await form('kettle', 'two'))).toBe(422)
  })
})

describe('compressed request bodies', () => {
  for (const when of ['before', 'after']) {
    test(`are fingerprinted decompressed, with @fastify/compress registered ${when}`, async () => {
      const app = bareApp()
      if (when === 'before') await app.register(compress)
      await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
      if (when === 'after') await app.register(compress)
      app.post('/x', async (request) => request.body)
      const body = JSON.stringify({ item: 'kettle', text: 'a'.repeat(2000) })
      const sent = (encoding: string, bytes: Buffer) => ({
        body: bytes,
        headers: { 'content-type': 'application/json', 'content-encoding': encoding },
      })
      const first = await post(app, '/x', { key: 'k', ...sent('gzip', gzipSync(body)) })
      expect(first.body).toBe(body)
      expect(await statusOf(app, sent('br', brotliCompressSync(body)))).toBe(200)
      expect(await statusOf(app, { body })).toBe(200)
      expect(await statusOf(app, sent('gzip', gzipSync('{}')))).toBe(422)
    })
  }
})
