import 'reflect-metadata'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger'
import { AppModule } from './app.module.ts'

/** Creates the application on either platform. No other file depends on the platform. */
export async function createApp(platform = process.env.PLATFORM): Promise<INestApplication> {
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter()
  const app = await NestFactory.create<INestApplication>(AppModule, adapter as ExpressAdapter, {
    rawBody: true,
    logger: ['error', 'warn'],
  })
  app.enableShutdownHooks() // on SIGTERM running requests finish, and new ones get 503
  const document = new DocumentBuilder().setTitle('Orders').build()
  SwaggerModule.setup('openapi', app, () => SwaggerModule.createDocument(app, document), {
    ui: false,
  })
  return app
}
