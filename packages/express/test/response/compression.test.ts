import { Readable } from 'node:stream'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { type EngineOptions, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import compression from 'compression'
import type { Response } from 'express'
import { describe, expect, test } from 'vitest'
import { connectTo, header, post, type WireResponse } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const order = { id: 1, lines: Array.from({ length: 200 }, (_, n) => ({ sku: `a-${n}` })) }
const text = JSON.stringify(order)

const writers: Record<string, (res: Response) => unknown> = {
  json: (res) => res.status(201).json(order),
  'write and end': (res) => {
    res.status(201).type('json')
    res.write(text.slice(0, 100))
    res.end(text.slice(100))
  },
  'a pipe': (res) =>
    Readable.from([text.slice(0, 100), text.slice(100)]).pipe(res.status(201).type('json')),
}

for (const [version, express] of expressVersions) {
  for (const where of ['outside', 'inside'] as const) {
    const app = (
      write: (res: Response) => unknown,
      options?: Partial<EngineOptions<MemoryTransaction>>,
      compressing?: { readonly threshold: number },
    ) => {
      const store = memoryStore()
      const once = idempotency({ store, scope: 'dangerously-shared', ...options })
      const app = quietApp(express)
      const compress = compression(compressing)
      app.use(express.json(), ...(where === 'outside' ? [compress, once] : [once, compress]))
      app.post('/', (_, res) => write(res))
      return app
    }
    const ask = (port: number, coding: string) =>
      post(port, '/', { 'Idempotency-Key': 'k', 'Accept-Encoding': coding })

    describe(`${version}, compression mounted ${where}`, () => {
      for (const [title, write] of Object.entries(writers)) {
        test.each(['gzip', 'br'])(
          `${title} with %s is replayed in every coding`,
          async (coding) => {
            const port = await served(app(write))
            const first = await ask(port, coding)
            expect(first.status).toBe(201)
            expect(header(first, 'content-encoding')).toBe(coding)
            expect(plain(first)).toBe(text)
            for (const other of ['gzip', 'br', 'identity']) {
              const again = await ask(port, other)
              expect(header(again, 'x-idempotency-replayed')).toBe('true')
              // Outside, it compresses the replay; inside, the stored response is compressed, and
              // decoded for clients that do not accept it.
              const isCoded = where === 'outside' ? other !== 'identity' : other === coding
              expect(header(again, 'content-encoding')).toBe(isCoded ? other : undefined)
              expect(again.status).toBe(201)
              expect(plain(again)).toBe(text)
              expect(header(again, 'vary')).toBe('Accept-Encoding')
              if (where === 'inside' && isCoded) expect(again.body).toEqual(first.body)
            }
          },
        )
      }

      test('a problem is readable even if the handler had begun to compress its response', async () => {
        const port = await served(app(writers.json!, { maxResponseBytes: 50 }))
        const answer = await ask(port, 'gzip')
        expect(answer.status).toBe(500)
        expect(JSON.parse(plain(answer)).code).toBe('response-too-large')
      })

      test('a problem is readable if the handler never began to respond', async () => {
        const port = await served(
          app(() => {}, { handlerTimeoutMs: 20, docsUrl: `https://x.test/${'long'.repeat(500)}` }),
        )
        const answer = await ask(port, 'gzip')
        expect(JSON.parse(plain(answer)).code).toBe('handler-timeout')
      })

      test('maxResponseBytes limits what is stored: the plain body outside, the compressed one inside', async () => {
        const zeros = (res: Response) => res.send(Buffer.alloc(100_000))
        const port = await served(
          app((res) => zeros(res.type('text')), { maxResponseBytes: 50_000 }),
        )
        const answers = [await ask(port, 'gzip'), await ask(port, 'gzip')]
        if (where === 'outside') {
          for (const answer of answers) {
            expect(JSON.parse(plain(answer)).code).toBe('response-too-large')
          }
        } else {
          expect(answers.map(plain)).toEqual(Array(2).fill('\0'.repeat(100_000)))
          expect(header(answers[1]!, 'x-idempotency-replayed')).toBe('true')
        }
      })

      test.each([200, 204, 205, 304])(
        'an empty %i, with no threshold below which it leaves bodies alone',
        async (status) => {
          const port = await served(
            app((res) => res.status(status).type('text').end(), {}, { threshold: 0 }),
          )
          const answers = [await ask(port, 'gzip'), await ask(port, 'gzip')]
          expect(answers.map((answer) => answer.status)).toEqual([status, status])
          expect(header(answers[1]!, 'x-idempotency-replayed')).toBe('true')
          if (status === 200) expect(answers.map(plain)).toEqual(['', ''])
        },
      )
    })
  }

  test(`${version}: no compressed byte leaves before the commit`, async () => {
    const store = heldStore()
    const app = quietApp(express)
    app.use(compression(), express.json(), idempotency({ store, scope: 'dangerously-shared' }))
    app.post('/', (_, res) => void res.json(order))
    const connection = await connectTo(await served(app))
    connection.post('/', { 'Idempotency-Key': 'k', 'Accept-Encoding': 'gzip' })
    await store.asked()
    expect(connection.received()).toBe('')
    store.letGo()
    expect(plain(await connection.response())).toBe(text)
  })
}

function plain(response: WireResponse): string {
  const coding = header(response, 'content-encoding')
  if (coding === 'gzip') return gunzipSync(response.body).toString()
  return (coding === 'br' ? brotliDecompressSync(response.body) : response.body).toString()
}
