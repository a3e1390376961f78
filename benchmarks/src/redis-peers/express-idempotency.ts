import type { RequestHandler } from 'express'
import {
  getSharedIdempotencyService,
  type IdempotencyOptions,
  idempotency,
} from 'express-idempotency'
import redisAdapter from 'express-idempotency-redis-adapter'
import type { RedisPeer } from './redis-peer.ts'

/** As its README has it. It looks before it claims, and does not wait for what it stores. */
export const expressIdempotency: RedisPeer = async (app, place, url) => {
  const dataAdapter = new redisAdapter.default({ connectionConfig: { url } })
  await dataAdapter.connect()
  // Their types are those of Express 4 and of a compiler less strict.
  const options = { dataAdapter } as unknown as IdempotencyOptions
  app.use(idempotency(options) as unknown as RequestHandler)
  const service = getSharedIdempotencyService() as unknown as { isHit(req: unknown): boolean }
  app.post('/orders', (req, res) => {
    // A replay goes on to the handler, which has to look.
    if (service.isHit(req)) return
    res.status(201).json(place(req.body))
  })
}
