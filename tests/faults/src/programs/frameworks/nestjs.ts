import type { PoolClient } from 'pg'
import {
  type Platform,
  serveOneRoute,
} from '../../../../../packages/nestjs/test/support/serve-one-route.ts'
import type { OrderRequest } from '../place-order.ts'
import type { ServeWith } from './shop-front.ts'

export const serveOnExpress: ServeWith = (front) => serve(front, 'express')
export const serveOnFastify: ServeWith = (front) => serve(front, 'fastify')

/** Errors are answered by Nest's own exception filter. */
function serve(
  { engine, place, port, leftOver }: Parameters<ServeWith>[0],
  platform: Platform,
): Promise<unknown> {
  return serveOneRoute<PoolClient>(platform, {
    options: engine,
    port,
    path: 'orders',
    handler: (body, context) => place(body as OrderRequest, context),
    unprotected: { path: 'left-over', handler: () => String(leftOver()) },
  })
}
