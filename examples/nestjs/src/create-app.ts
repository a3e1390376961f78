import 'reflect-metadata'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger'
import { AppModule } from './app.module.ts'

/** The application, on either platform; nothing else of it knows which. */
export async function createApp(platform = process.env.PLATFORM): Promise<INestApplication> {
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter()
  const app = await NestFactory.create<INestApplication>(AppModule, adapter as ExpressAdapter, {
    rawBody: true,
    logger: ['error', 'warn'],
  })
  app.enableShutdownHooks() // SIGTERM: what runs is finished, and what comes gets 503
  const document = new DocumentBuilder().setTitle('Orders').build()
  SwaggerModule.setup('openapi', app, () => SwaggerModule.createDocument(app, document), {
    ui: false,
  })
  return app
}
