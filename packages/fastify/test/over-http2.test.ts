import { createServer } from 'node:http'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import compress from '@fastify/compress'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { coveredApp, post } from './app.ts'

const server = { http2: true } as unknown as FastifyServerOptions
const TEXT = JSON.stringify({ text: 'oncekey '.repeat(1000) })

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Buffer
}

test('over HTTP/2 @fastify/compress replays one response readably to every client', async () => {
  const { app } = await coveredApp({ server })
  await app.register(compress)
  let runs = 0
  app.post('/', async (_request, reply) => {
    runs += 1
    return reply.type('application/json').send(TEXT)
  })
  const first = await askOver2(app, 'gzip')
  expect(gunzipSync(first.body).toString()).toBe(TEXT)
  expect((await askOver2(app, 'gzip, br')).body).toEqual(first.body)
  expect((await askOver2(app)).body).toEqual(first.body)
  const plain = await askOver2(app, 'identity')
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(plain.headers['content-length']).toBe(String(TEXT.length))
  expect(plain.body.toString()).toBe(TEXT)
  expect(runs).toBe(1)
})

test('@fastify/compress on one route replays one response readably to every client', async () => {
  const { app } = await coveredApp()
  await app.register(compress, { global: false })
  app.post('/', { compress: {} }, async (_request, reply) =>
    reply.type('application/json').send(TEXT),
  )
  const accepting = (coding: string) => ({ key: 'k', headers: { 'accept-encoding': coding } })
  const first = await post(app, '/', accepting('gzip'))
  expect(gunzipSync(first.bytes).toString()).toBe(TEXT)
  expect((await post(app, '/', accepting('gzip'))).bytes).toEqual(first.bytes)
  const plain = await post(app, '/', accepting('identity'))
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(plain).toMatchObject({ body: TEXT, replayed: true })
})

test.each([1, 2])(
  'over HTTP/%i a chunked upstream response is forwarded completely',
  async (version) => {
    const upstream = await chunkedUpstream()
    const { app } = await coveredApp(version === 2 ? { server } : {})
    app.post('/', async () => fetch(upstream))
    for (let n = 0; n < 2; n += 1) {
      const answer =
        version === 2
          ? await askOver2(app)
          : await post(app, '/', { key: 'k' }).then((got) => ({ ...got, body: got.bytes }))
      expect(answer.body.toString()).toBe('ab')
      expect(answer.headers['content-length']).toBe('2')
      expect(answer.headers['transfer-encoding']).toBeUndefined()
      expect(answer.headers['x-idempotency-replayed']).toBe(n === 0 ? undefined : 'true')
    }
  },
)

async function chunkedUpstream(): Promise<string> {
  const upstream = createServer((_, res) => {
    res.write('a')
    res.end('b')
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  return `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
}

async function askOver2(app: FastifyInstance, acceptEncoding?: string): Promise<Got> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  const asked = session.request({
    ':method': 'POST',
    ':path': '/',
    'idempotency-key': 'k',
    ...(acceptEncoding !== undefined && { 'accept-encoding': acceptEncoding }),
  })
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject)
      asked.on('error', reject)
      asked.on('response', async ({ ':status': status = 0, ...headers }) => {
        const chunks: Buffer[] = []
        for await (const chunk of asked) chunks.push(chunk as Buffer)
        resolve({ status, headers: { ...headers }, body: Buffer.concat(chunks) })
      })
      asked.end()
    })
  } finally {
    session.close()
  }
}
