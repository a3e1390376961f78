import { once } from 'node:events'
import { bodyParser } from '@koa/bodyparser'
import { Router } from '@koa/router'
import { idempotency } from '@oncekey/koa'
import Koa from 'koa'
import type { PoolClient } from 'pg'
import type { OrderRequest } from '../place-order.ts'
import { FAILED, type ServeWith, sendFromScratch } from './shop-front.ts'

/** Half of this server's answers go through Koa, and half are written to Node's own response. */
export const serve: ServeWith = async ({ engine, place, port, leftOver }) => {
  const idempotent = idempotency<PoolClient>(engine)
  const router = new Router()
  router.get('/left-over', (ctx) => {
    ctx.body = String(leftOver())
  })
  router.post('/orders', async (ctx) => {
    const { status, body } = await place(ctx.request.body as OrderRequest, idempotent.of(ctx))
    if (Math.random() < 0.5) {
      ctx.status = status
      ctx.body = body
    } else {
      ctx.respond = false
      sendFromScratch(ctx.res, status, body)
    }
  })
  const app = new Koa()
  app.use(async (ctx, next) => {
    try {
      await next()
    } catch {
      ctx.status = 500
      ctx.body = FAILED
    }
  })
  app.use(idempotent).use(bodyParser()).use(router.routes())
  await once(app.listen(port, '127.0.0.1'), 'listening')
}
