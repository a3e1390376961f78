import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { idempotency } from '@oncekey/web/hono'
import { type Env, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { PoolClient } from 'pg'
import { FAILED, JSON_TYPE, type ServeWith, sendFromScratch } from './shop-front.ts'

/** Half of this server's answers are Responses, and half are written to Node's own response. */
export const serve: ServeWith = async ({ engine, place, port, leftOver }) => {
  const idempotent = idempotency<PoolClient, Env>(engine)
  const app = new Hono<{ Bindings: HttpBindings }>()
  app.get('/left-over', (c) => c.json(leftOver()))
  app.post('/orders', idempotent, async (c) => {
    const { status, body } = await place(await c.req.json(), idempotent.of(c))
    if (Math.random() < 0.5) {
      c.header('content-type', JSON_TYPE)
      return c.body(JSON.stringify(body), status as ContentfulStatusCode)
    }
    sendFromScratch(c.env.outgoing as ServerResponse, status, body)
    return RESPONSE_ALREADY_SENT
  })
  app.onError((_, c) => c.json(FAILED, 500))
  const server = createAdaptorServer(app)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
