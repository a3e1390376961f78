import type { Store } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express from 'express'

/** The store is a parameter, so that a test may give it another one. */
export function createApp<Tx>(store: Store<Tx>): express.Express {
  const once = idempotency({ store, scope: (req) => String(req.headers['x-account'] ?? '') })
  const app = express()
  app.post('/orders', express.json(), once, (req, res) => {
    const { emit } = once.of(req)
    const order = { id: Math.random(), item: req.body.item }
    emit({ type: 'order.placed', data: order })
    res.status(201).json(order)
  })
  app.post('/stuck', express.json(), once, () => {})
  return app
}
