import { createServer, type Server } from 'node:http'
import express, { type RequestHandler } from 'express'
import { Redis } from 'ioredis'
import type { FolderPeer } from './folder-peer.ts'

/**
 * It stores the response after it has been sent, at the event `finish`. Made to wait, it gets a
 * `res.send` that sends when this has been done.
 */
export function idempot(waits: boolean): FolderPeer {
  return async ({ place, url, load }): Promise<Server> => {
    const { idempotency } = await load('@idempot/express-middleware')
    const { RedisIdempotencyStore } = await load('@idempot/redis-store')
    const app = express()
    app.use(express.json())
    if (waits) app.use(sendWhenStored)
    app.use(idempotency({ store: new RedisIdempotencyStore({ client: new Redis(url) }) }))
    app.post('/orders', (req, res) => {
      res.status(201).json(place(req.body))
    })
    return createServer(app)
  }
}

/**
 * The library listens for `finish` when it has called the handler, which may have sent already. Its
 * listener is called instead of registered, and what was sent leaves when the listener is done. A
 * replay registers none, and is sent in the next tick.
 */
const sendWhenStored: RequestHandler = (_req, res, next) => {
  let store: (() => Promise<void>) | undefined
  const { on } = res
  const send = res.send.bind(res)
  res.on = (event, listener) => {
    if (event !== 'finish' || store !== undefined) return on.call(res, event, listener)
    store = listener as () => Promise<void>
    return res
  }
  res.send = (body) => {
    process.nextTick(async () => {
      try {
        await store?.()
        send(body)
      } catch (error) {
        next(error)
      }
    })
    return res
  }
  next()
}
