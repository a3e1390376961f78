import type { Express, RequestHandler } from 'express'
import {
  getSharedIdempotencyService,
  type IdempotencyOptions,
  idempotency,
} from 'express-idempotency'
import redisAdapter from 'express-idempotency-redis-adapter'
import type { RedisPeer } from './redis-peer.ts'

/**
 * As in its README. The library reads before it claims, and does not wait for its writes. Made to
 * wait, it gets a `res.send` that sends when its adapter has stored the response.
 */
export function expressIdempotency(waits: boolean): RedisPeer {
  return async (app, place, url) => {
    const dataAdapter = new redisAdapter.default({ connectionConfig: { url } })
    await dataAdapter.connect()
    if (waits) sendWhenStored(app, dataAdapter)
    // Its types are for Express 4 and a less strict compiler.
    const options = { dataAdapter } as unknown as IdempotencyOptions
    app.use(idempotency(options) as unknown as RequestHandler)
    const service = getSharedIdempotencyService() as unknown as { isHit(req: unknown): boolean }
    app.post('/orders', (req, res) => {
      // A replay continues to the handler, which has to check.
      if (service.isHit(req)) return
      res.status(201).json(place(req.body))
    })
  }
}

interface Resource {
  readonly idempotencyKey: string
}

interface DataAdapter {
  create(resource: Resource): Promise<void>
  update(resource: Resource): Promise<void>
}

/**
 * The library calls the `res.send` that it finds, and stores what it was given. Only a key that
 * this process has claimed is waited for, so that replays are sent at once.
 */
function sendWhenStored(app: Express, adapter: DataAdapter): void {
  const stored = new Map<string, () => void>()
  const { create, update } = adapter
  adapter.create = (resource) => {
    stored.set(resource.idempotencyKey, () => {})
    return create.call(adapter, resource)
  }
  adapter.update = async (resource) => {
    await update.call(adapter, resource)
    stored.get(resource.idempotencyKey)?.()
    stored.delete(resource.idempotencyKey)
  }
  app.use((req, res, next) => {
    const key = String(req.headers['idempotency-key'])
    const send = res.send.bind(res)
    res.send = (body) => {
      if (stored.has(key)) stored.set(key, () => send(body))
      else send(body)
      return res
    }
    next()
  })
}
