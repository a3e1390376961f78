import 'reflect-metadata'
import { Controller, Get, Module, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import {
  ApiCreatedResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger'
import type { JsonObject } from '../src/index.ts'

@Controller('orders')
class Orders {
  @Post()
  @ApiOperation({ operationId: 'place', summary: 'Place an order' })
  @ApiCreatedResponse({ description: 'The order is placed.' })
  place() {}

  @Get()
  @ApiOperation({ operationId: 'list', summary: 'List orders' })
  @ApiOkResponse({ description: 'The orders.' })
  @ApiNotFoundResponse({ description: 'There is no such shop.' })
  list() {}
}

@Module({ controllers: [Orders] })
class App {}

/** The document that Nest makes of the API, in this version of OpenAPI. */
export async function describedByNest(of: {
  readonly openapi: string
  readonly info: JsonObject
  readonly servers: readonly { readonly url: string }[]
}): Promise<JsonObject> {
  const app = await NestFactory.create(App, new FastifyAdapter(), { logger: false })
  const { openapi, info, servers } = of
  const config = new DocumentBuilder().setOpenAPIVersion(openapi).build()
  const document = SwaggerModule.createDocument(app, { ...config, servers: [...servers] })
  await app.close()
  // Nest leaves empty lists, which Redocly warns of.
  return { ...document, info, security: [] } as unknown as JsonObject
}
