import { createReadStream } from 'node:fs'
import { PassThrough, Readable, Stream } from 'node:stream'
import { memoryStore } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import { coveredApp, fastifyVersions, post, until } from './app.ts'

const lease = () => memoryStore({ mode: 'lease' })

function endless() {
  const source = Readable.from(
    (async function* () {
      for (;;) yield Buffer.alloc(1000, 'a')
    })(),
  )
  return source
}

describe('a stream past maxResponseBytes', () => {
  test('is undone and refused in transaction mode, its source destroyed at the limit', async () => {
    const { app, store } = await coveredApp({ maxResponseBytes: 10_000 })
    const source = endless()
    app.post('/x', async (request, reply) => {
      const tx = (await request.idempotency?.transaction()) as { set(k: string, v: unknown): void }
      tx.set('row', 1)
      return reply.code(201).header('x-mine', '1').type('text/csv').send(source)
    })
    const got = await post(app, '/x', { key: 'k' })
    expect(got.status).toBe(500)
    expect(JSON.parse(got.body).code).toBe('response-too-large')
    expect(got.headers['x-mine']).toBeUndefined()
    await until(() => source.destroyed)
    expect(store.data.size).toBe(0)
  })

  test('is undone in lease mode too, because its handler has not ended', async () => {
    const { app } = await coveredApp({ store: lease(), maxResponseBytes: 10 })
    const parts = ['first ', 'second ', 'third ', 'fourth']
    app.post('/x', async (_request, reply) => reply.type('text/plain').send(Readable.from(parts)))
    const answer = { status: 500, body: expect.stringContaining('response-too-large') }
    expect(await post(app, '/x', { key: 'k' })).toMatchObject(answer)
    expect(await post(app, '/x', { key: 'k' })).toMatchObject(answer)
  })

  test('is treated the same if it is a web stream', async () => {
    const { app } = await coveredApp({ maxResponseBytes: 10_000 })
    let cancelled = false
    app.post(
      '/x',
      async () =>
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1000)),
          cancel() {
            cancelled = true
          },
        }),
    )
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
    await until(() => cancelled)
  })

  test('is treated like a string or buffer past it', async () => {
    const { app } = await coveredApp({ maxResponseBytes: 10 })
    app.post('/x', async () => 'a'.repeat(11))
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
  })
})

test('that breaks halfway causes an error reply and leaves the key free', async () => {
  const { app } = await coveredApp()
  let runs = 0
  app.post('/x', async (_request, reply) => {
    runs += 1
    const parts = async function* () {
      yield 'half'
      if (runs === 1) throw new Error('broke')
      yield ' whole'
    }
    return reply.code(201).type('text/plain').send(Readable.from(parts()))
  })
  expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
  expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 201, body: 'half whole' })
  expect((await post(app, '/x', { key: 'k' })).replayed).toBe(true)
})

test('with anything but bytes and text causes an error, not a crash', async () => {
  const { app } = await coveredApp()
  app.post('/x', async () => Readable.from([{ an: 'object' }]))
  expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
})

test("with response: 'stream' sends the first part before the last is produced", async () => {
  const { app } = await coveredApp({ response: 'stream' })
  const source = new PassThrough()
  app.post('/x', async (_request, reply) => reply.type('text/event-stream').send(source))
  app.post('/json', async () => ({ id: 1 }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  source.write('data: 1\n\n')
  const response = await fetch(`${app.listeningOrigin}/x`, {
    method: 'POST',
    headers: { 'idempotency-key': 'k' },
  })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 1\n\n')
  source.end('data: 2\n\n')
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 2\n\n')
  expect((await post(app, '/x', { key: 'k' })).status).toBe(410)
  expect((await post(app, '/json', { key: 'j' })).body).toBe('{"id":1}')
  expect((await post(app, '/json', { key: 'j' })).status).toBe(410)
})

// A bug: nobody listened to the stream while the response was recorded, so that its error ended the
// process. Had somebody, the failed attempt would have been on record as done.
test.each(fastifyVersions)(
  "with response: 'stream' a stream that breaks before its first byte is undone (%s)",
  async (_, factory) => {
    const { app } = await coveredApp({ response: 'stream', factory })
    let runs = 0
    app.post('/x', async (_request, reply) => {
      runs += 1
      return reply.send(runs === 1 ? createReadStream('/no/such/file') : Readable.from(['found']))
    })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(500)
    expect(await post(app, '/x', { key: 'k' })).toMatchObject({ status: 200, body: 'found' })
    expect((await post(app, '/x', { key: 'k' })).status).toBe(410)
  },
)

// A bug: as above, for a stream that is not sent because its status has no body.
test('a stream that breaks while a 204 is stored does not end the process', async () => {
  const { app } = await coveredApp()
  app.post('/x', async (_request, reply) => reply.code(204).send(createReadStream('/no/such/file')))
  for (let n = 0; n < 2; n += 1) expect((await post(app, '/x', { key: 'k' })).status).toBe(204)
})

test('is collected to its end even if the client has gone', async () => {
  const { app } = await coveredApp()
  const source = new PassThrough()
  let runs = 0
  app.post('/x', async (_request, reply) => {
    runs += 1
    return reply.type('text/plain').send(source)
  })
  const gone = new AbortController()
  const first = post(app, '/x', { key: 'k', signal: gone.signal })
  await until(() => runs)
  source.write('one ')
  gone.abort()
  await expect(first).rejects.toThrow()
  source.end('two')
  await until(async () => (await post(app, '/x', { key: 'k' })).replayed)
  expect((await post(app, '/x', { key: 'k' })).body).toBe('one two')
  expect(runs).toBe(1)
})

describe('a stream that stalls', () => {
  test.each(
    fastifyVersions.flatMap((version) =>
      (['destroy', 'close', 'abort'] as const).map((way) => [version[0], version[1], way] as const),
    ),
  )(
    'is stopped at the timeout by its own method, and a 503 sent: %s, %3$s()',
    async (_version, factory, way) => {
      const { app } = await coveredApp({ factory, handlerTimeoutMs: 30 })
      const stopped: string[] = []
      app.post('/x', async (_request, reply) => {
        const stream = Object.assign(new Stream(), {
          readable: true,
          [way]: () => stopped.push(way),
        })
        setImmediate(() => stream.emit('data', 'half'))
        return reply.type('text/plain').send(stream)
      })
      const got = await post(app, '/x', { key: 'k' })
      expect(got.status).toBe(503)
      expect(JSON.parse(got.body).code).toBe('handler-timeout')
      expect(stopped).toEqual([way])
    },
  )
})

test('a response that declares itself chunked has one framing, streamed or complete', async () => {
  const { app } = await coveredApp()
  app.post('/stream', async (_request, reply) =>
    reply
      .header('transfer-encoding', 'chunked')
      .type('text/plain')
      .send(Readable.from(['a', 'b'])),
  )
  app.post('/text', async (_request, reply) =>
    reply.header('transfer-encoding', 'chunked').send('ab'),
  )
  app.post(
    '/fetched',
    async () => new Response('ab', { headers: { 'transfer-encoding': 'chunked' } }),
  )
  for (const path of ['/stream', '/text', '/fetched']) {
    for (const replayed of [false, true]) {
      const got = await post(app, path, { key: path })
      expect(got).toMatchObject({ status: 200, body: 'ab', replayed })
      expect(got.headers).toMatchObject({ 'content-length': '2' })
      expect(got.headers['transfer-encoding']).toBeUndefined()
    }
  }
})
