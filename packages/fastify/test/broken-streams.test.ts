import { PassThrough, Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { heldStore } from '../../node/test/held-store.ts'
import { coveredApp, fastifyVersions, post, until } from './app.ts'

// A bug: the error handler answered 500, as if the attempt were undone, and the retry got 410.
describe.each(fastifyVersions)(
  "with response: 'stream' a stream that breaks while it is recorded (%s)",
  (_, factory) => {
    test.each([
      ['one part', ['a']],
      ['several parts', ['a', 'b', 'c']],
    ])('breaks off after the %s read until then', async (_title, parts) => {
      const store = heldStore()
      const { app } = await coveredApp({ response: 'stream', factory, store })
      const source = new PassThrough()
      let failures = 0
      app.setErrorHandler(async (_error, _request, reply) => {
        failures += 1
        return reply.code(500).send('failed')
      })
      app.post('/x', async (_request, reply) => reply.code(201).type('text/plain').send(source))
      const url = await app.listen({ host: '127.0.0.1', port: 0 })
      const answer = fetch(`${url}/x`, { method: 'POST', headers: { 'idempotency-key': 'k' } })
      source.write(parts[0])
      await store.asked()
      for (const part of parts.slice(1)) source.write(part)
      await until(() => source.readableLength === 0)
      source.destroy(new Error('broke'))
      await until(() => source.closed)
      // Whoever listens to the source knows by the next turn.
      await new Promise(setImmediate)
      store.letGo()
      const response = await answer
      expect(response.status).toBe(201)
      const read = await readUntilBroken(response)
      expect(read).toEqual({ text: parts.join(''), isBroken: true })
      expect(failures).toBe(0)
      expect((await post(app, '/x', { key: 'k' })).status).toBe(410)
    })
  },
)

async function readUntilBroken(response: Response) {
  let text = ''
  try {
    for await (const bytes of response.body ?? []) text += Buffer.from(bytes as Uint8Array)
  } catch {
    return { text, isBroken: true }
  }
  return { text, isBroken: false }
}

// A bug: the response was on record, then Node threw, and the client got nothing.
describe.each(fastifyVersions)(
  'on a server that throws for a body that is not sent (%s)',
  (_, factory) => {
    const strict = { http: { rejectNonStandardBodyWrites: true } } as never

    test.each([204, 304])('a body with %d is left out', async (status) => {
      const { app } = await coveredApp({ factory, server: strict })
      app.post('/text', async (_request, reply) => reply.code(status).send('a body'))
      app.post('/stream', async (_request, reply) => reply.code(status).send(Readable.from(['a'])))
      for (const path of ['/text', '/stream']) {
        for (const replayed of [false, true]) {
          const got = await post(app, path, { key: path })
          expect(got).toMatchObject({ status, body: '', replayed })
          expect(got.headers['content-length']).toBeUndefined()
        }
      }
    })

    test('a problem answers HEAD', async () => {
      const { app } = await coveredApp({ factory, server: strict, methods: ['HEAD'] })
      app.head('/x', async (_request, reply) => reply.send())
      expect((await post(app, '/x', { method: 'HEAD' })).status).toBe(400)
    })
  },
)
