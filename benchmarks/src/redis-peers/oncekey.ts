import { idempotency } from '@oncekey/express'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import type { RedisPeer } from './redis-peer.ts'

export const oncekey: RedisPeer = (app, place, url) => {
  app.use(idempotency({ store: redisStore({ client: new Redis(url) }), scope: () => 'account-1' }))
  app.post('/orders', (req, res) => {
    res.status(201).json(place(req.body))
  })
}
