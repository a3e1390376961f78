import { Readable } from 'node:stream'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { NextFunction, Request, Response } from 'express'
import { describe, expect, test } from 'vitest'
import { connectTo, header } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

type Late = (req: Request, res: Response, next: NextFunction) => unknown

/** What a handler may still do after its timeout. */
const late: Record<string, Late> = {
  'answers json': (_, res) => res.status(201).json({ late: true }),
  'sets a header': (_, res) => res.setHeader('X-Late', '1').appendHeader('X-Late', '2'),
  'removes a header': (_, res) => res.removeHeader('Content-Type'),
  'sets status and message': (_, res) => {
    res.statusCode = 201
    res.statusMessage = 'Late'
  },
  'writes and ends': (_, res) => {
    res.write('late')
    res.end('late')
  },
  'calls writeHead': (_, res) => res.writeHead(201, { 'X-Late': '1' }).end('late'),
  redirects: (_, res) => res.redirect('/late'),
  pipes: (_, res) => Readable.from(['late']).pipe(res),
  'sends a file': (_, res) => res.sendFile(import.meta.filename),
  'flushes headers': (_, res) => res.flushHeaders(),
  'destroys the response': (_, res) => res.destroy(),
  'passes on an error': (_, __, next) => next(new Error('late')),
  'waits for the callbacks of write and end': async (_, res) => {
    await new Promise((resolve) => res.write('late', resolve))
    await new Promise<void>((resolve) => void res.end(resolve))
  },
  'waits where it is told to': async (_, res) => {
    for (let i = 0; i < 100; i++) {
      if (!res.write('x'.repeat(10_000))) {
        await new Promise<void>((resolve) => res.once('drain', resolve))
      }
    }
  },
  // A bug: it was never told to, and a stream without an end kept every other request waiting.
  'writes until it is told to wait': (_, res) => {
    for (let i = 0; res.write('x'); i++) if (i === 10_000) throw new Error('not told to wait')
  },
  'is told that headers are sent and the response ended': (_, res) => {
    if (!res.headersSent || !res.writableEnded) res.destroy()
  },
  'looks at the connection': (req, res) => {
    if (req.socket.remoteAddress !== '127.0.0.1' || req.ip === undefined) res.destroy()
  },
}

for (const [version, express] of expressVersions) {
  describe(`${version}: no harm comes from a handler that, after its timeout,`, () => {
    for (const [title, act] of Object.entries(late)) {
      test.each([
        ['', (_: Response) => {}],
        [', and had begun to answer', (res: Response) => void res.status(201).write('begun')],
      ])(`${title}%s`, async (_, begin) => {
        let finish = (_: unknown) => {}
        const acted = new Promise((resolve) => {
          finish = resolve
        })
        const store = memoryStore()
        const once = idempotency({ store, scope: 'dangerously-shared', handlerTimeoutMs: 30 })
        const app = quietApp(express)
        const errors: unknown[] = []
        app.use(express.json())
        app.post('/', once, async (req, res, next) => {
          begin(res)
          await new Promise((resolve) => once.of(req).signal.addEventListener('abort', resolve))
          await new Promise((resolve) => res.once('finish', resolve))
          await act(req, res, next)
          setImmediate(finish)
        })
        app.post('/next', (_, res) => void res.json({ next: true }))
        app.use((error: unknown, _: Request, __: Response, next: NextFunction) => {
          errors.push(error)
          next(error)
        })
        const connection = await connectTo(await served(app))
        connection.post('/', { 'Idempotency-Key': 'k' })
        const timedOut = await connection.response()
        expect(timedOut.status).toBe(503)
        expect(header(timedOut, 'retry-after')).toBe('1')
        expect(header(timedOut, 'x-late')).toBeUndefined()
        expect(JSON.parse(String(timedOut.body)).code).toBe('handler-timeout')
        await acted

        // The connection keeps working and serves only the next request.
        connection.post('/next')
        const next = await connection.response()
        expect(String(next.body)).toBe('{"next":true}')
        // `send` checks headersSent itself and throws.
        if (title === 'sends a file') return
        expect(errors.map(String)).toEqual(title === 'passes on an error' ? ['Error: late'] : [])
      })
    }

    test('throws because its signal aborted', async () => {
      const once = idempotency({
        store: memoryStore(),
        scope: 'dangerously-shared',
        handlerTimeoutMs: 30,
      })
      const app = quietApp(express)
      app.use(express.json())
      app.post('/', once, (req, _, next) => {
        const { signal } = once.of(req)
        signal.addEventListener('abort', () => next(signal.reason))
      })
      app.post('/next', (_, res) => void res.json({ next: true }))
      const connection = await connectTo(await served(app))
      connection.post('/', { 'Idempotency-Key': 'k' })
      expect(JSON.parse(String((await connection.response()).body)).code).toBe('handler-timeout')
      connection.post('/next')
      expect((await connection.response()).status).toBe(200)
    })
  })
}
