import { ServerResponse as Bare, type ServerResponse } from 'node:http'
import { idempotency } from '@oncekey/express'
import { describe, expect, test } from 'vitest'
import { connectTo, header, post } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

type Kept = Pick<ServerResponse, 'write' | 'end' | 'writeHead' | 'flushHeaders'>

/** What somebody does with Node methods saved before the response was held. */
const uses: Record<string, (kept: Kept, res: ServerResponse) => unknown> = {
  'end with a string': (kept) => kept.end('one two'),
  'end with bytes': (kept) => kept.end(Buffer.from('one two')),
  'end in another encoding': (kept) => kept.end('b25lIHR3bw==', 'base64'),
  'write and end': (kept) => {
    kept.write('one ')
    kept.write(Buffer.from('two'))
    kept.end()
  },
  'write and the response’s own end': (kept, res) => {
    kept.write('one ')
    res.end('two')
  },
  'the response’s own write and end': (kept, res) => {
    res.write('one ')
    kept.end('two')
  },
  'flushHeaders and end': (kept) => {
    kept.flushHeaders()
    kept.end('one two')
  },
  'the callback of write': (kept) => kept.write('one ', () => kept.end('two')),
}

for (const [version, express] of expressVersions) {
  describe(`${version}: a response written through methods saved earlier`, () => {
    for (const [title, use] of Object.entries(uses)) {
      test(`${title} waits for the commit, is sent once, and is replayed`, async () => {
        const store = heldStore()
        const app = quietApp(express)
        app.use(express.json())
        const keptOf = new WeakMap<object, Kept>()
        app.use((_, res, next) => {
          const { write, end, writeHead, flushHeaders } = Bare.prototype
          keptOf.set(res, {
            write: write.bind(res),
            end: end.bind(res),
            writeHead: writeHead.bind(res),
            flushHeaders: flushHeaders.bind(res),
          } as Kept)
          next()
        })
        app.use(idempotency({ store, scope: 'dangerously-shared' }))
        const told: string[] = []
        app.post('/', (_, res) => {
          res.status(201).setHeader('X-Own', '1')
          res.on('finish', () => told.push('finish'))
          use(keptOf.get(res) as Kept, res)
        })
        const port = await served(app)
        const connection = await connectTo(port)
        connection.post('/', { 'Idempotency-Key': 'k' })
        await store.asked()
        await new Promise((resolve) => setImmediate(resolve))
        expect(connection.received()).toBe('')
        expect(told).toEqual([])
        store.letGo()
        const first = await connection.response()
        expect(told).toEqual(['finish'])
        const again = await post(port, '/', { 'Idempotency-Key': 'k' })
        expect(header(again, 'x-idempotency-replayed')).toBe('true')
        for (const { status, body, headers } of [first, again]) {
          expect([status, String(body)]).toEqual([201, 'one two'])
          expect(headers.find(([name]) => name.toLowerCase() === 'x-own')?.[1]).toBe('1')
        }
        // The connection keeps working.
        connection.post('/', { 'Idempotency-Key': 'k' })
        expect((await connection.response()).status).toBe(201)
      })
    }
  })
}
