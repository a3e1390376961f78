import type { ServerResponse } from 'node:http'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import type { Response } from 'express'
import { describe, expect, test } from 'vitest'
import { connectTo, post } from '../support/connection.ts'
import { heldStore } from '../support/held-store.ts'
import { expressVersions, quietApp, served } from '../support/served.ts'

/** The response state that handlers and other middleware can see. */
function state(res: ServerResponse) {
  const { headersSent, writableEnded, finished, writable, destroyed, writableNeedDrain } = res
  return { headersSent, writableEnded, finished, writable, destroyed, writableNeedDrain }
}

function codeOf(act: () => unknown): unknown {
  try {
    act()
    return undefined
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

/** Each records what it sees step by step; bare Express provides the expected record. */
const observers: Record<string, (res: Response, see: (what: unknown) => void) => unknown> = {
  json: (res, see) => {
    see(state(res))
    res.status(201)
    see(state(res))
    see(res.json({}) === res)
    see(state(res))
  },
  'writeHead, write and end': (res, see) => {
    see(res.writeHead(201) === res)
    see(state(res))
    see(res.write('a'))
    see(state(res))
    see(res.end('b') === res)
    see(state(res))
    see(res.statusCode)
  },
  flushHeaders: (res, see) => {
    see(res.flushHeaders())
    see(state(res))
    see(codeOf(() => res.setHeader('x-a', '1')))
    see(codeOf(() => res.writeHead(200)))
    res.end()
  },
  'headers after the first byte': (res, see) => {
    res.write('a')
    see(codeOf(() => res.setHeader('x-a', '1')))
    see(codeOf(() => res.removeHeader('x-a')))
    see(codeOf(() => res.appendHeader('x-a', '1')))
    see(codeOf(() => res.writeHead(200)))
    see(codeOf(() => res.status(500).json({})))
    res.end()
  },
  'headers after the end': (res, see) => {
    res.end('a')
    see(codeOf(() => res.setHeader('x-a', '1')))
    see(codeOf(() => res.removeHeader('x-a')))
    see(codeOf(() => res.writeHead(200)))
    see(codeOf(() => res.flushHeaders()))
    see(codeOf(() => res.json({})))
    see(codeOf(() => res.end()))
    see(state(res))
  },
  'what cannot be written': (res, see) => {
    see(codeOf(() => res.write(null)))
    see(codeOf(() => res.write(5)))
    see(codeOf(() => res.write({})))
    see(codeOf(() => res.end(5)))
    see(state(res))
    see(codeOf(() => res.writeHead(20)))
    see(codeOf(() => res.writeHead(1000)))
    see(codeOf(() => res.writeHead(200, 'a\nb')))
    res.statusMessage = ''
    see(codeOf(() => res.writeHead(200, { 'x-a': 'a\nb' })))
    see(codeOf(() => res.writeHead(200, { 'x-a': undefined })))
    see(codeOf(() => res.writeHead(200, ['x-a'] as never)))
    see(state(res))
    res.end()
  },
  'the order of callbacks and events': async (res, see) => {
    res.on('prefinish', () => see('prefinish'))
    res.on('finish', () => see('finish'))
    res.on('close', () => see('close'))
    await new Promise((resolve) => res.write('a', () => resolve(see('write'))))
    await new Promise<void>((resolve) => void res.end('b', () => resolve(see('end'))))
    see(state(res))
    see(res.writableFinished)
  },
  'callbacks without a chunk': async (res, see) => {
    await new Promise<void>((resolve) => void res.end(() => resolve(see('end'))))
    see(res.writableFinished)
  },
  'callbacks with an encoding': async (res, see) => {
    await new Promise((resolve) => res.write('61', 'hex', () => resolve(see('write'))))
    await new Promise<void>((resolve) => void res.end('62', 'hex', () => resolve(see('end'))))
  },
  'the callback of a second end': async (res, see) => {
    res.end('a')
    await new Promise<void>((resolve) => void res.end(() => resolve(see('end'))))
  },
  'a write after the end': async (res, see) => {
    // Whether the response emits it, too, differs: Node does so until the response is closed.
    res.on('error', () => {})
    res.end('a')
    await new Promise<void>((resolve) => {
      const told = (error: Error | null | undefined): void => resolve(see(error?.message))
      see(res.write('b', told))
    })
  },
}

for (const [version, express] of expressVersions) {
  describe(`a handler on ${version} sees the same state as without the middleware`, () => {
    for (const [title, observe] of Object.entries(observers)) {
      test(title, async () => {
        const seen = async (isCovered: boolean) => {
          const app = quietApp(express)
          app.use(express.json())
          if (isCovered) {
            app.use(idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
          }
          const all: unknown[] = []
          let isDone = () => {}
          const done = new Promise<void>((resolve) => {
            isDone = resolve
          })
          app.post('/', async (_, res) => {
            res.on('close', () => setImmediate(isDone))
            await observe(res, (what) => void all.push(what))
          })
          const port = await served(app)
          await post(port, '/', { 'Idempotency-Key': 'k' })
          await done
          return all
        }
        expect(await seen(true)).toEqual(await seen(false))
      })
    }

    test('finish is emitted only after the bytes have left', async () => {
      const store = heldStore()
      const app = quietApp(express)
      app.use(express.json(), idempotency({ store, scope: 'dangerously-shared' }))
      const told: string[] = []
      app.post('/', (_, res) => {
        res.on('finish', () => told.push('finish'))
        res.end('x', () => told.push('end'))
      })
      const port = await served(app)
      const connection = await connectTo(port)
      connection.post('/', { 'Idempotency-Key': 'k' })
      await store.asked()
      await new Promise((resolve) => setImmediate(resolve))
      expect(told).toEqual([])
      store.letGo()
      await connection.response()
      expect(told.toSorted()).toEqual(['end', 'finish'])
    })

    test('leaves no listener behind on a connection or a response', async () => {
      const app = quietApp(express)
      const counts: number[] = []
      app.use((_, res, next) => {
        const { socket } = res
        counts.push(
          socket?.eventNames().reduce((n, name) => n + socket.listenerCount(name), 0) ?? 0,
        )
        next()
      })
      app.use(express.json(), idempotency({ store: memoryStore(), scope: 'dangerously-shared' }))
      const leftovers: unknown[] = []
      app.post('/', (req, res) => {
        const { socket } = req
        res.on('finish', () => {
          for (const name of ['writeHead', 'flushHeaders', 'destroy'] as const) {
            if (res[name] !== Object.getPrototypeOf(res)[name]) leftovers.push(name)
          }
          if (socket.destroy !== Object.getPrototypeOf(socket).destroy) leftovers.push(socket)
        })
        res.json({})
      })
      const connection = await connectTo(await served(app))
      for (let i = 0; i < 20; i++) {
        connection.post('/', { 'Idempotency-Key': `k${i % 15}` })
        expect((await connection.response()).status).toBe(200)
      }
      expect(new Set(counts).size).toBe(1)
      expect(leftovers).toEqual([])
    })
  })
}
