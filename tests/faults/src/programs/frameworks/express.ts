import { once } from 'node:events'
import { idempotency } from '@oncekey/express'
import express from 'express'
import type { PoolClient } from 'pg'
import { FAILED, type ServeWith, sendFromScratch } from './shop-front.ts'

/** Half of this server's answers come from a buffer that it reuses. */
export const serve: ServeWith = async ({ engine, place, port, leftOver }) => {
  const idempotent = idempotency<PoolClient>(engine)
  const app = express()
  app.use(express.json())
  app.post('/orders', idempotent, async (req, res) => {
    const { status, body } = await place(req.body, idempotent.of(req))
    if (Math.random() < 0.5) res.status(status).json(body)
    else sendFromScratch(res, status, body)
  })
  app.get('/left-over', (_, res) => res.json(leftOver()))
  app.use(((_error, _req, res, _next) => {
    res.status(500).json(FAILED)
  }) satisfies express.ErrorRequestHandler)
  await once(app.listen(port, '127.0.0.1'), 'listening')
}
