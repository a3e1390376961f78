import { once as emitted } from 'node:events'
import { gunzipSync } from 'node:zlib'
import { type EngineOptions, type MemoryTransaction, memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import compression from 'compression'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { post } from '../support/connection.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

const PARTS = 200
const PART = 'x'.repeat(1000)
const write = (res: Response): boolean => res.write(PART)

type Options = Partial<EngineOptions<MemoryTransaction>>

const tooLarge: Options = { maxResponseBytes: 10_000 }
const streams: Options = { response: 'stream' }
const fails: Options = {
  response: 'stream',
  disposition() {
    throw new Error('an option that fails after the handler')
  },
}

for (const [version, express] of expressVersions) {
  /** Serves a handler that writes in parts as Node's manual shows it, and tells when it is over. */
  const serve = async (
    options: Options,
    {
      outside = [],
      inside = [],
      writes = write,
    }: {
      readonly outside?: RequestHandler[]
      readonly inside?: RequestHandler[]
      readonly writes?: (res: Response) => boolean
    } = {},
  ) => {
    const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })
    const app = quietApp(express)
    const writer = { isOver: false }
    app.use(express.json())
    app.post('/', ...outside, once, ...inside, async (_, res, next) => {
      try {
        res.type('text')
        for (let n = 0; n < PARTS; n++) {
          // As a cursor takes its time for the next rows.
          if (n % 20 === 0) await new Promise(setImmediate)
          if (!writes(res)) await emitted(res, 'drain')
        }
        res.end()
      } catch (error) {
        next(error)
      } finally {
        writer.isOver = true
      }
    })
    app.use(async (_: unknown, __: Request, res: Response, ___: NextFunction) => {
      // Flushes its log first.
      for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
      res.status(500).json({ error: 'by the error handler' })
    })
    const uncaught = vi.fn()
    process.on('uncaughtException', uncaught)
    onTestFinished(() => {
      process.off('uncaughtException', uncaught)
      expect(uncaught).not.toHaveBeenCalled()
    })
    const port = await served(app)
    const ask = () => post(port, '/', { 'Idempotency-Key': 'k', 'Accept-Encoding': 'gzip' })
    const isOver = () => vi.waitFor(() => expect(writer.isOver).toBe(true))
    return { ask, isOver }
  }

  describe(`${version}: a handler that writes in parts and waits for drain`, () => {
    // A bug: the compressor has kept those who wait for a stream of its own, and that one never had
    // to be drained. So the handler waited for ever.
    test.each(['outside', 'inside'])('goes on with a compressor mounted %s', async (where) => {
      const { ask } = await serve(streams, { [where]: [compression()] })
      const { status, body } = await ask()
      expect([status, gunzipSync(body).length]).toEqual([200, PARTS * PART.length])
    })

    // A bug: it waited for ever, and with it what it had opened.
    test.each(['outside', 'inside'])(
      'gets to its end when its response is replaced, with a compressor mounted %s',
      async (where) => {
        const { ask, isOver } = await serve(tooLarge, {
          [where]: [compression()],
          // What a compressor makes of it is too large as well.
          writes: (res) => res.write(Buffer.from(Array.from({ length: 1000 }, random))),
        })
        const { status, body } = await ask()
        expect([status, JSON.parse(String(body)).code]).toEqual([500, 'response-too-large'])
        await isOver()
      },
    )

    // A bug: what it wrote overtook an error handler that awaits something, so its client got 200
    // and a part of what was undone.
    test.each([
      ['waits', write],
      ['does not wait', (res: Response) => write(res) || true],
    ])('gets nothing into another answer if an option fails: it %s', async (_, writes) => {
      const { ask, isOver } = await serve(fails, { writes })
      const { status, body } = await ask()
      expect([status, JSON.parse(String(body)).code]).toEqual([500, 'option-failed'])
      await isOver()
    })
  })
}

function random(): number {
  return Math.floor(Math.random() * 256)
}
