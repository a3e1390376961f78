import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency'
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache'
import { createClient } from '@redis/client'
import type { Order } from '../contenders/order.ts'
import type { RedisPeer } from './redis-peer.ts'

/**
 * It wraps functions, so the route's work is a function. It stores what the function returns, and
 * no headers.
 */
export const powertools: RedisPeer = async (app, place, url) => {
  const client = await createClient({ url }).connect()
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', throwOnNoIdempotencyKey: true })
  // Without a time limit it warns on every call.
  config.registerLambdaContext({ getRemainingTimeInMillis: () => 30_000 } as never)
  const placeOnce = makeIdempotent(
    async (request: { key: string | undefined; order: Order }) => ({ ...place(request.order) }),
    { persistenceStore: new CachePersistenceLayer({ client }), config },
  )
  app.post('/orders', async (req, res) => {
    res.status(201).json(await placeOnce({ key: req.get('idempotency-key'), order: req.body }))
  })
}
