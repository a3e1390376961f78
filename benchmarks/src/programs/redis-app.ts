import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Order, PlacedOrder } from '../contenders/order.ts'
import { type RedisPeerName, redisPeers } from '../redis-peers/redis-peers.ts'
import { answer, cpuMicros } from '../verbs.ts'

let runs = 0

const verbs = {
  async listen(peer: RedisPeerName, url: string): Promise<number> {
    const app = express()
    app.use(express.json())
    await redisPeers[peer](app, place, url)
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  runs: () => runs,
  cpuMicros,
}

function place({ customer, item, cents }: Order): PlacedOrder {
  runs += 1
  return { id: 'order-1', customer, item, cents, state: 'placed' }
}

export type RedisApp = typeof verbs

answer(verbs)
