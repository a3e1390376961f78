import 'reflect-metadata'
import type { Server } from 'node:http'
import { Body, Controller, type INestApplication, Module, Post, Req } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { IdempotencyModule, Idempotent, idempotencyOf } from '@oncekey/nestjs'
import type { Order, PlacedOrder } from '../contenders/order.ts'
import type { Work } from './work.ts'

/**
 * A Nest application with one route. The decorators are called as functions, because the bundler
 * of the programs does not compile the decorators that Nest needs.
 */
export async function nestServer(
  platform: 'express' | 'fastify',
  { store, place }: Work,
): Promise<Server> {
  class Orders {
    async create(req: object, order: Order): Promise<PlacedOrder> {
      return place(order, store && idempotencyOf(req).transaction)
    }
  }
  const { prototype } = Orders
  const create = Object.getOwnPropertyDescriptor(prototype, 'create') as PropertyDescriptor
  Req()(prototype, 'create', 0)
  Body()(prototype, 'create', 1)
  Post('orders')(prototype, 'create', create)
  if (store !== undefined) Idempotent()(prototype, 'create', create)
  Controller()(Orders)

  const module = store && IdempotencyModule.forRoot({ store, scope: () => 'account-1' })
  class App {}
  Module({ imports: module ? [module] : [], controllers: [Orders] })(App)

  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter()
  const app = await NestFactory.create<INestApplication>(App, adapter as ExpressAdapter, {
    logger: false,
    abortOnError: false,
  })
  await app.init()
  // Fastify answers nothing before all of its plugins are loaded.
  if (adapter instanceof FastifyAdapter) await adapter.getInstance().ready()
  return app.getHttpServer()
}
