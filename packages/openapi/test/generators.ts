import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi'
import swagger from '@fastify/swagger'
import fastify from 'fastify'
import { Hono } from 'hono'
import { describeRoute, generateSpecs } from 'hono-openapi'
import swaggerJsdoc from 'swagger-jsdoc'
import { describeIdempotency, type JsonObject } from '../src/index.ts'
import { describedByNest } from './nest-app.ts'

const info = {
  title: 'Orders',
  version: '1.0.0',
  license: { name: 'MIT', identifier: 'MIT' },
}
const servers = [{ url: 'https://api.example.org' }]
const created = { description: 'The order is placed.' }
const listed = { description: 'The orders.' }
const none = { description: 'There is no such shop.' }

/** The same small API, described by each generator and then by us. */
export const generators: Readonly<Record<string, (version: string) => Promise<JsonObject>>> = {
  async 'written by hand'(openapi) {
    const post = { operationId: 'place', summary: 'Place an order', responses: { 201: created } }
    const get = {
      operationId: 'list',
      summary: 'List orders',
      responses: { 200: listed, 404: none },
    }
    return describeIdempotency({
      openapi,
      info,
      servers,
      security: [],
      paths: { '/orders': { post, get } },
    })
  },

  async '@fastify/swagger'(openapi) {
    const app = fastify()
    await app.register(swagger, {
      openapi: { openapi, info, servers, security: [] },
      transformObject: (document) =>
        describeIdempotency('openapiObject' in document ? document.openapiObject : {}),
    })
    const schema = { operationId: 'place', summary: 'Place an order', response: { 201: created } }
    app.post('/orders', { schema }, async () => ({}))
    const list = {
      operationId: 'list',
      summary: 'List orders',
      response: { 200: listed, 404: none },
    }
    app.get('/orders', { schema: list }, async () => [])
    await app.ready()
    const document = app.swagger() as unknown as JsonObject
    await app.close()
    return document
  },

  async 'hono-openapi'(openapi) {
    const app = new Hono()
    const place = { operationId: 'place', summary: 'Place an order', responses: { 201: created } }
    app.post('/orders', describeRoute(place), (c) => c.json({}))
    const list = {
      operationId: 'list',
      summary: 'List orders',
      responses: { 200: listed, 404: none },
    }
    app.get('/orders', describeRoute(list), (c) => c.json([]))
    const document = await generateSpecs(app, { documentation: { info, servers, security: [] } })
    return describeIdempotency({ ...document, openapi }) as unknown as JsonObject
  },

  async 'swagger-jsdoc'(openapi) {
    const folder = mkdtempSync(join(tmpdir(), 'oncekey-openapi-'))
    writeFileSync(join(folder, 'routes.js'), ROUTES)
    const definition = { openapi, info, servers, security: [] }
    const document = swaggerJsdoc({ definition, apis: [join(folder, '*.js')] })
    rmSync(folder, { recursive: true })
    return describeIdempotency(document as JsonObject)
  },

  async 'zod-to-openapi'(openapi) {
    const registry = new OpenAPIRegistry()
    const path = '/orders'
    const place = { operationId: 'place', summary: 'Place an order', responses: { 201: created } }
    registry.registerPath({ method: 'post', path, ...place })
    const list = {
      operationId: 'list',
      summary: 'List orders',
      responses: { 200: listed, 404: none },
    }
    registry.registerPath({ method: 'get', path, ...list })
    const generator = new OpenApiGeneratorV31(registry.definitions)
    const document = generator.generateDocument({
      openapi: openapi as '3.1.1',
      info,
      servers,
      security: [],
    })
    return describeIdempotency(document) as unknown as JsonObject
  },

  async '@nestjs/swagger'(openapi) {
    const document = await describedByNest({ openapi, info, servers })
    return describeIdempotency(document)
  },
}

const ROUTES = `
/**
 * @openapi
 * /orders:
 *   post:
 *     operationId: place
 *     summary: Place an order
 *     responses:
 *       201:
 *         description: The order is placed.
 *   get:
 *     operationId: list
 *     summary: List orders
 *     responses:
 *       200:
 *         description: The orders.
 *       404:
 *         description: There is no such shop.
 */
`
