import { createServer } from 'node:http'
import express from 'express'
import { type RedisPeerName, redisPeers } from '../redis-peers/redis-peers.ts'
import type { FolderPeer } from './folder-peer.ts'
import { bareHono, honoIdempotency, oncekeyOnHono } from './hono.ts'
import { idempot } from './idempot.ts'
import { bareNest, nestarc, oncekeyOnNest } from './nest.ts'

/** By framework: the bare handler, ours, and the peers by the names that programs take. */
export const folderPeers = {
  'bare Express': ofExpress('bare Express'),
  'Oncekey, Express': ofExpress('Oncekey'),
  'idempot-js, Express': idempot(false),
  'idempot-js, Express, made to wait': idempot(true),
  'bare Hono': bareHono,
  'Oncekey, Hono': oncekeyOnHono,
  'hono-idempotency': honoIdempotency,
  'bare Nest': bareNest,
  'Oncekey, Nest': oncekeyOnNest,
  '@nestarc/idempotency': nestarc,
} satisfies Record<string, FolderPeer>

export type FolderPeerName = keyof typeof folderPeers

function ofExpress(name: RedisPeerName): FolderPeer {
  return async ({ place, url }) => {
    const app = express()
    app.use(express.json())
    await redisPeers[name](app, place, url)
    return createServer(app)
  }
}
