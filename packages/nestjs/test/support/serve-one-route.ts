import 'reflect-metadata'
import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Module,
  Post,
  Req,
  Res,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { HandlerContext } from '@oncekey/core'
import {
  IdempotencyModule,
  type IdempotencyOptions,
  Idempotent,
  idempotencyOf,
} from '@oncekey/nestjs'
import type { Platform } from './serve-with-nest.ts'

export type { Platform }

export interface OneRoute<Tx> {
  readonly options: IdempotencyOptions
  readonly port: number
  readonly path: string
  handler(
    body: unknown,
    context: HandlerContext<Tx>,
  ): Promise<{ readonly status: number; readonly body: unknown }>
  /** A GET route beside it. */
  readonly unprotected: { readonly path: string; handler(): string }
}

/**
 * Serves one idempotent POST route with Nest, for tests elsewhere in the workspace: a package of
 * its own would get another copy of Nest than this one. The decorators are called as functions, so
 * that any loader compiles this file.
 */
export async function serveOneRoute<Tx>(
  platform: Platform,
  { options, port, path, handler, unprotected }: OneRoute<Tx>,
): Promise<INestApplication> {
  class Routes {
    async post(req: object, res: { status(code: number): unknown }, sent: unknown) {
      const { status, body } = await handler(sent, idempotencyOf<Tx>(req))
      res.status(status)
      return body
    }

    get(): string {
      return unprotected.handler()
    }
  }
  const { prototype } = Routes
  const method = (name: keyof Routes) =>
    Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor
  Req()(prototype, 'post', 0)
  Res({ passthrough: true })(prototype, 'post', 1)
  Body()(prototype, 'post', 2)
  Post(path)(prototype, 'post', method('post'))
  Idempotent()(prototype, 'post', method('post'))
  Get(unprotected.path)(prototype, 'get', method('get'))
  Controller()(Routes)

  class App {}
  Module({ imports: [IdempotencyModule.forRoot(options)], controllers: [Routes] })(App)
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter()
  const app = await NestFactory.create<INestApplication>(App, adapter as ExpressAdapter, {
    logger: false,
    abortOnError: false,
  })
  await app.listen(port, '127.0.0.1')
  return app
}
