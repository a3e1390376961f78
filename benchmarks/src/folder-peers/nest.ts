import 'reflect-metadata'
import type { Server } from 'node:http'
import { Body, Controller, Module, Post, UseInterceptors } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { IdempotencyModule, Idempotent } from '@oncekey/nestjs'
import { redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import type { Order } from '../contenders/order.ts'
import type { Place } from '../redis-peers/redis-peer.ts'
import type { FolderPeer } from './folder-peer.ts'

export const bareNest: FolderPeer = ({ place }) => served(place, {})

export const oncekeyOnNest: FolderPeer = ({ place, url }) =>
  served(place, {
    module: IdempotencyModule.forRoot({
      store: redisStore({ client: new Redis(url) }),
      scope: () => 'account-1',
    }),
    onRoute: [Idempotent()],
  })

/** With its interceptor on the controller, as in its README. */
export const nestarc: FolderPeer = async ({ place, url, load }) => {
  const theirs = await load('@nestarc/idempotency')
  return served(place, {
    module: theirs.IdempotencyModule.forRoot({
      storage: new theirs.RedisStorage({ client: new Redis(url) }),
    }),
    onController: [UseInterceptors(theirs.IdempotencyInterceptor)],
    onRoute: [theirs.Idempotent()],
  })
}

interface Additions {
  readonly module?: object
  readonly onController?: readonly ClassDecorator[]
  readonly onRoute?: readonly MethodDecorator[]
}

/** Decorators are called instead of written, so that a contender can have its own. */
async function served(
  place: Place,
  { module, onController = [], onRoute = [] }: Additions,
): Promise<Server> {
  class Orders {
    place(order: Order) {
      return place(order)
    }
  }
  const route = Object.getOwnPropertyDescriptor(Orders.prototype, 'place') as PropertyDescriptor
  Body()(Orders.prototype, 'place', 0)
  for (const decorate of [Post(), ...onRoute]) decorate(Orders.prototype, 'place', route)
  for (const decorate of [Controller('orders'), ...onController]) decorate(Orders)
  class App {}
  Module({ imports: module === undefined ? [] : [module as never], controllers: [Orders] })(App)

  const app = await NestFactory.create(App, { logger: false })
  await app.init()
  return app.getHttpServer()
}
