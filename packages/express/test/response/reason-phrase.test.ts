import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Response } from 'express'
import { describe, expect, test } from 'vitest'
import { post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const handlers: Record<string, (res: Response) => unknown> = {
  statusMessage: (res) => {
    res.statusMessage = 'Order Placed'
    res.status(201).json({ id: 1 })
  },
  'writeHead()': (res) => res.writeHead(201, 'Order Placed').end('{"id":1}'),
}

for (const [version, express] of expressVersions) {
  describe(`${version}: a custom reason phrase`, () => {
    for (const [what, handler] of Object.entries(handlers)) {
      test(`from ${what} is replayed, and not as a header`, async () => {
        const app = quietApp(express)
        app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
        app.post('/', (_, res) => void handler(res))
        const port = await served(app)
        const first = await post(port, '/', { 'Idempotency-Key': 'k' })
        expect(first.statusLine).toBe('HTTP/1.1 201 Order Placed')
        const again = await post(port, '/', { 'Idempotency-Key': 'k' })
        expect(again.statusLine).toBe('HTTP/1.1 201 Order Placed')
        expect(again.headers.flat().join('\n')).not.toMatch(/reason/i)
      })
    }

    test('is replayed from a sealed record, too', async () => {
      const seal = { current: 'k1', keys: { k1: new Uint8Array(32).fill(1) } }
      const app = quietApp(express)
      const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', seal })
      app.use(express.json(), once)
      app.post('/', (_, res) => void res.writeHead(201, 'Order Placed').end())
      const port = await served(app)
      for (let n = 0; n < 2; n += 1) {
        const { statusLine } = await post(port, '/', { 'Idempotency-Key': 'k' })
        expect(statusLine).toBe('HTTP/1.1 201 Order Placed')
      }
    })
  })
}
