import type { RequestHandler } from 'express'
import {
  getSharedIdempotencyService,
  type IdempotencyOptions,
  idempotency,
} from 'express-idempotency'
import redisAdapter from 'express-idempotency-redis-adapter'
import type { RedisPeer } from './redis-peer.ts'

/** As in its README. The library reads before it claims, and does not wait for its writes. */
export const expressIdempotency: RedisPeer = async (app, place, url) => {
  const dataAdapter = new redisAdapter.default({ connectionConfig: { url } })
  await dataAdapter.connect()
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
