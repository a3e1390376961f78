import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { redisStore } from '@oncekey/redis'
import { idempotency } from '@oncekey/web/hono'
import { createClient } from '@redis/client'
import { Hono, type MiddlewareHandler } from 'hono'
import { Redis } from 'ioredis'
import type { Place } from '../redis-peers/redis-peer.ts'
import type { FolderPeer } from './folder-peer.ts'

export const bareHono: FolderPeer = async ({ place }) => served(place)

export const oncekeyOnHono: FolderPeer = async ({ place, url }) =>
  served(
    place,
    idempotency({ store: redisStore({ client: new Redis(url) }), scope: () => 'account-1' }),
  )

/** On node-redis, because its store passes options that ioredis refuses. */
export const honoIdempotency: FolderPeer = async ({ place, url, load }) => {
  const { idempotency } = await load('hono-idempotency')
  const { redisStore } = await load('hono-idempotency/stores/redis')
  const client = await createClient({ url }).connect()
  return served(
    place,
    idempotency({ store: redisStore({ client }), cacheKeyPrefix: () => 'account-1' }),
  )
}

function served(place: Place, once?: MiddlewareHandler): Server {
  const app = new Hono()
  if (once !== undefined) app.use(once)
  app.post('/orders', async (c) => c.json(place(await c.req.json()), 201))
  return createAdaptorServer({ fetch: app.fetch }) as Server
}
