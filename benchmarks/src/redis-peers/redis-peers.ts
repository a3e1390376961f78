import { expressIdempotency } from './express-idempotency.ts'
import { nodeIdempotency } from './node-idempotency.ts'
import { oncekey } from './oncekey.ts'
import { powertools } from './powertools.ts'
import type { RedisPeer } from './redis-peer.ts'

/** The peers by the names that programs take; the others are compared with ours. */
export const redisPeers = {
  'bare Express': (app, place) => {
    app.post('/orders', (req, res) => {
      res.status(201).json(place(req.body))
    })
  },
  Oncekey: oncekey,
  '@node-idempotency/core': nodeIdempotency(false),
  '@node-idempotency/core, made to wait': nodeIdempotency(true),
  'express-idempotency': expressIdempotency(false),
  'express-idempotency, made to wait': expressIdempotency(true),
  '@aws-lambda-powertools/idempotency': powertools,
} satisfies Record<string, RedisPeer>

export type RedisPeerName = keyof typeof redisPeers
