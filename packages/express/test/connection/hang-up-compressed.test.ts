import { once as emitted } from 'node:events'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import compression from 'compression'
import type { Response } from 'express'
import { expect, test, vi } from 'vitest'
import { connectTo, post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const gone = async (res: Response) => res.destroyed || (await emitted(res, 'close'))

// compression stops when the client has gone: what is written then, and the end, get nowhere.
test.each(expressVersions)(
  '%s: a client that hangs up on a compressor inside does not hold its key',
  async (_, express) => {
    const store = memoryStore()
    const handlerTimeoutMs = 600_000
    const once = idempotency({ store, scope: 'dangerously-shared', handlerTimeoutMs })
    const app = quietApp(express)
    const begun = vi.fn()
    let runs = 0
    app.use(express.json(), once, compression({ threshold: 0 }))
    app.post('/', async (req, res) => {
      runs += 1
      const tx = await once.of(req as never).transaction()
      tx.set('runs', Number(tx.get('runs') ?? 0) + 1)
      res.type('text').write('a'.repeat(1000))
      if (runs > 1) return void res.end('again')
      begun()
      await gone(res)
      res.write('b')
      res.end('c')
    })
    const port = await served(app)
    const headers = { 'Idempotency-Key': 'k', 'Accept-Encoding': 'gzip' }
    const connection = await connectTo(port)
    connection.post('/', headers)
    await vi.waitFor(() => expect(begun).toHaveBeenCalled(), 10_000)
    connection.socket.destroy()
    await vi.waitFor(async () => {
      expect((await post(port, '/', headers)).status).toBe(200)
    }, 10_000)
    expect({ runs, kept: store.data.get('runs') }).toEqual({ runs: 2, kept: 1 })
  },
)
