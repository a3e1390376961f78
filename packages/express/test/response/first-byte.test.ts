import { pipeline, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { idempotency } from '@oncekey/express'
import type { RequestHandler } from 'express'
import { describe, expect, test } from 'vitest'
import { connectTo } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const file = fileURLToPath(import.meta.url)

/** Every way in which bytes could leave. */
const handlers: Record<string, RequestHandler> = {
  json: (_, res) => void res.json({ id: 1 }),
  end: (_, res) => void res.end('x'),
  'write and end': (_, res) => {
    res.write('a')
    res.end('b')
  },
  'writeHead and end': (_, res) => void res.writeHead(201, { 'X-One': '1' }).end('x'),
  'flushHeaders and end': (_, res) => {
    res.flushHeaders()
    res.end('x')
  },
  'cork, write, uncork and end': (_, res) => {
    res.cork()
    res.write('a')
    res.uncork()
    res.end('b')
  },
  'a pipe': (_, res) => void Readable.from(['a', 'b']).pipe(res),
  'a pipeline': (_, res) => pipeline(Readable.from(['a', 'b']), res, () => {}),
  sendFile: (_, res) => res.sendFile(file),
  'a redirect': (_, res) => res.redirect('/orders/1'),
  '204': (_, res) => void res.status(204).end(),
  'a refusal': (_, res) => void res.status(404).json({ error: 'gone' }),
  'an answer and a throw': (_, res) => {
    res.json({ id: 1 })
    throw new Error('after')
  },
  'an answer, and the connection destroyed': (req, res) => {
    res.json({ id: 1 })
    req.socket.destroy()
  },
}

for (const [version, express] of expressVersions) {
  describe(`${version}: no byte leaves before the response is on record`, () => {
    for (const [title, handler] of Object.entries(handlers)) {
      test(title, async () => {
        const store = heldStore()
        const app = quietApp(express)
        app.get('/', (_, res) => void res.send('alive'))
        app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
        app.post('/', handler)
        const port = await served(app)
        const connection = await connectTo(port)
        connection.post('/', { 'Idempotency-Key': 'k' })
        await store.asked()
        // Several other requests complete meanwhile, so anything that could leave has left.
        for (let i = 0; i < 5; i++) await (await fetch(`http://127.0.0.1:${port}/`)).text()
        expect(connection.received()).toBe('')
        store.letGo()
        const { status } = await connection.response()
        expect(status).toBeGreaterThanOrEqual(200)
      })
    }
  })
}
