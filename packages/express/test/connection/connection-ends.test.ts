import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Request, Response } from 'express'
import { describe, expect, test, vi } from 'vitest'
import { connectTo, header, post } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

/** Ways in which a handler that has responded ends the connection. */
const ends: Record<string, (res: Response) => unknown> = {
  'res.socket.end()': (res) => res.socket?.end(),
  'res.socket.destroySoon()': (res) => res.socket?.destroySoon(),
  'res.socket.destroy()': (res) => res.socket?.destroy(),
  'req.socket.end()': (res) => res.req.socket.end(),
  'res.destroy()': (res) => res.destroy(),
}

for (const [version, express] of expressVersions) {
  describe(`${version}: a handler that has responded and ends the connection by`, () => {
    for (const [title, end] of Object.entries(ends)) {
      test(`${title} has its response sent before the connection ends`, async () => {
        const store = heldStore()
        const app = quietApp(express)
        app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
        app.post('/', (_, res) => {
          res.end('answered')
          end(res)
        })
        const connection = await connectTo(await served(app))
        connection.post('/', { 'Idempotency-Key': 'k' })
        await store.asked()
        store.letGo()
        expect(String((await connection.response()).body)).toBe('answered')
        await connection.ended
      })
    }
  })

  describe(`${version}: pipelined requests`, () => {
    const pipelined = async (second: (req: Request, res: Response) => unknown) => {
      const store = memoryStore()
      const app = quietApp(express)
      let finishFirst = () => {}
      const firstMayEnd = new Promise<void>((resolve) => {
        finishFirst = resolve
      })
      const once = idempotency({ store, scope: 'dangerously-shared', handlerTimeoutMs: 600_000 })
      app.use(express.json(), once)
      const ran = vi.fn()
      app.post('/first', async (_, res) => {
        await firstMayEnd
        res.end('first')
      })
      app.post('/second', async (req, res, next) => {
        ran()
        if (ran.mock.calls.length > 1) return void res.end('again')
        try {
          ;(await once.of(req).transaction()).set('order', true)
          await second(req, res)
        } catch (error) {
          next(error)
        }
      })
      const port = await served(app)
      const connection = await connectTo(port)
      connection.post('/first', { 'Idempotency-Key': '1' })
      connection.post('/second', { 'Idempotency-Key': '2' })
      await vi.waitFor(() => expect(ran).toHaveBeenCalled())
      return { store, port, connection, finishFirst }
    }

    test.each(['before', 'after'])(
      'one that writes and throws frees its key at once, %s the first has ended',
      async (when) => {
        let fail = () => {}
        const { store, port, connection, finishFirst } = await pipelined(async (_, res) => {
          res.write('begun')
          await new Promise<void>((resolve) => {
            fail = resolve
          })
          throw new Error('gave up')
        })
        const first = connection.response()
        if (when === 'after') {
          finishFirst()
          expect(String((await first).body)).toBe('first')
        }
        fail()
        await vi.waitFor(async () => {
          const again = await post(port, '/second', { 'Idempotency-Key': '2' })
          expect(String(again.body)).toBe('again')
        })
        expect(store.data.size).toBe(0)
        finishFirst()
        expect(String((await first).body)).toBe('first')
        await connection.ended
      },
    )

    test('each gets its response in turn, and is replayed', async () => {
      const { port, connection, finishFirst } = await pipelined((req, res) => {
        res.end(`second ${req.socket.remoteAddress}`)
      })
      finishFirst()
      expect(String((await connection.response()).body)).toBe('first')
      expect(String((await connection.response()).body)).toBe('second 127.0.0.1')
      const again = await post(port, '/second', { 'Idempotency-Key': '2' })
      expect(header(again, 'x-idempotency-replayed')).toBe('true')
    })

    test('one that responded and then threw has its response sent before the connection ends', async () => {
      const { connection, finishFirst } = await pipelined((_, res) => {
        res.end('second')
        throw new Error('late')
      })
      finishFirst()
      expect(String((await connection.response()).body)).toBe('first')
      expect(String((await connection.response()).body)).toBe('second')
      await connection.ended
    })
  })
}
