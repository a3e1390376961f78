import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline, Readable, Writable } from 'node:stream'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Request, Response } from 'express'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connectTo, header, post } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

let folder = ''
let file = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oncekey-'))
  file = join(folder, 'large')
  writeFileSync(file, 'x'.repeat(500_000))
})
afterAll(() => rm(folder, { recursive: true }))

/** Continues once the client is gone. */
const gone = async (res: Response) => res.destroyed || (await once(res, 'close'))

async function* untilGone(res: Response): AsyncGenerator<string> {
  yield 'a'
  await gone(res)
  await new Promise((resolve) => setImmediate(resolve))
  yield 'b'
  yield 'c'
}

type Handler = (req: Request, res: Response) => unknown

/** The handler finishes: its response is stored, though nobody received it. */
const kept: Record<string, Handler> = {
  json: async (_, res) => {
    await gone(res)
    res.json({ id: 1 })
  },
  'write and end': async (_, res) => {
    for await (const chunk of untilGone(res)) res.write(chunk)
    res.end()
  },
  'a pipeline of a generator': (_, res) => pipeline(untilGone(res), res, () => {}),
  'a pipeline of a generator that begins late': async (_, res) => {
    await gone(res)
    pipeline(untilGone(res), res, () => {})
  },
  'a pipe that begins late': async (_, res) => {
    await gone(res)
    Readable.from(['a', 'b']).pipe(res)
  },
  'a pipe that leaves the end to the handler': (_, res) => {
    const source = Readable.from(['a'])
    source.pipe(res, { end: false })
    source.on('end', async () => {
      await gone(res)
      res.end('b')
    })
  },
}

/** The hang-up destroys the stream, so nobody will ever call `end()`. */
const undone: Record<string, Handler> = {
  'a pipe': (_, res) => Readable.from(untilGone(res)).pipe(res),
  'a pipeline of a stream': (_, res) => pipeline(Readable.from(untilGone(res)), res, () => {}),
  'a pipeline of a stream that begins late': async (_, res) => {
    await gone(res)
    pipeline(Readable.from(['a', 'b']), res, () => {})
  },
  'sendFile that begins late': async (_, res) => {
    await gone(res)
    res.sendFile(file)
  },
  'a throw after the first byte': async (_, res) => {
    res.write('a')
    await gone(res)
    throw new Error('gave up')
  },
  'a throw before the first byte': async (_, res) => {
    await gone(res)
    throw new Error('gave up')
  },
  'a web stream': (_, res) =>
    Readable.toWeb(Readable.from(untilGone(res))).pipeTo(Writable.toWeb(res)),
}

for (const [version, express] of expressVersions) {
  for (const mode of ['transaction', 'lease'] as const) {
    describe(`${version}, ${mode} mode: the client hangs up on`, () => {
      const app = (handler: Handler) => {
        const store = memoryStore({ mode })
        const once = idempotency({
          store,
          scope: 'dangerously-shared',
          whenUnknown: 'hold',
          handlerTimeoutMs: 600_000,
        })
        const app = quietApp(express)
        app.use(express.json(), once)
        const ran = vi.fn()
        app.post('/', async (req, res, next) => {
          ran()
          if (ran.mock.calls.length > 1) return void res.json({ again: true })
          const { transaction, emit } = once.of(req)
          emit({ type: 'order.created' })
          ;(await transaction()).set('order', true)
          try {
            await handler(req, res)
          } catch (error) {
            next(error)
          }
        })
        return { app, store, ran }
      }

      const hangUp = async (port: number, ran: () => boolean) => {
        const connection = await connectTo(port)
        connection.post('/', { 'Idempotency-Key': 'k' })
        await vi.waitFor(() => expect(ran()).toBe(true))
        connection.socket.destroy()
      }

      for (const [title, handler] of Object.entries(kept)) {
        test(`${title} and the response is stored`, async () => {
          const { app: served1, store, ran } = app(handler)
          const port = await served(served1)
          await hangUp(port, () => ran.mock.calls.length > 0)
          await vi.waitFor(() => expect(store.events).toHaveLength(1))
          const again = await post(port, '/', { 'Idempotency-Key': 'k' })
          expect(header(again, 'x-idempotency-replayed')).toBe('true')
          expect(again.body.length).toBeGreaterThan(0)
          expect(store.data.get('order')).toBe(true)
          expect(ran).toHaveBeenCalledOnce()
        })
      }

      for (const [title, handler] of Object.entries(undone)) {
        test(`${title} and the request is undone at once`, async () => {
          const { app: served1, store, ran } = app(handler)
          const port = await served(served1)
          await hangUp(port, () => ran.mock.calls.length > 0)
          await vi.waitFor(async () => {
            const { status, body } = await post(port, '/', { 'Idempotency-Key': 'k' })
            const code = mode === 'lease' ? JSON.parse(String(body)).code : status
            expect(code).toBe(mode === 'lease' ? 'outcome-unknown' : 200)
          })
          expect(store.data.size).toBe(0)
          expect(store.events).toEqual([])
        })
      }
    })
  }

  test(`${version}: a client that hangs up between end() and the commit finds the result`, async () => {
    const store = heldStore()
    const app = quietApp(express)
    app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
    app.post('/', (_, res) => void res.json({ id: 1 }))
    const port = await served(app)
    const connection = await connectTo(port)
    connection.post('/', { 'Idempotency-Key': 'k' })
    await store.asked()
    connection.socket.destroy()
    store.letGo()
    await vi.waitFor(async () => {
      const again = await post(port, '/', { 'Idempotency-Key': 'k' })
      expect(header(again, 'x-idempotency-replayed')).toBe('true')
    })
  })
}
