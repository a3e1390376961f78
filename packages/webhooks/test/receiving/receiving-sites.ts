import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency as express, keepRawBody } from '@oncekey/express'
import fastifyPlugin from '@oncekey/fastify'
import { idempotency as web } from '@oncekey/web'
import { idempotency as hono } from '@oncekey/web/hono'
import { generateSecret, receiveWebhook } from '@oncekey/webhooks'
import expressApp from 'express'
import fastify, { type FastifyReply } from 'fastify'
import { type Context, Hono } from 'hono'
import { onTestFinished } from 'vitest'

/** A site with one route for webhooks, and one with the same store for keys that clients choose. */
export interface Site {
  post(path: string, headers: Record<string, string>, body: string): Promise<Response>
  readonly effects: string[]
}

type Options = Parameters<typeof receiveWebhook>[0]

/** The answer of the routes' handler once the test lets it run. */
type Answer = (effect: number) => number | Promise<number>

const well: Answer = () => 200

export const sites: Record<string, (options: Options, answer?: Answer) => Promise<Site>> = {
  async express(options, answer = well) {
    const effects: string[] = []
    const store = memoryStore()
    const app = expressApp()
    app.use(expressApp.json({ verify: keepRawBody }))
    const effect: expressApp.RequestHandler = async (req, res) => {
      effects.push(req.body.type)
      res.status(await answer(effects.length)).json({ number: effects.length })
    }
    const received = express({ store, ...receiveWebhook(options) })
    app.post(['/webhooks', '/shipping'], received, effect)
    app.post('/orders', express({ store, scope: 'dangerously-shared' }), effect)
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    return { effects, post: poster((server.address() as AddressInfo).port) }
  },

  async fastify(options, answer = well) {
    const effects: string[] = []
    const store = memoryStore()
    const app = fastify()
    await app.register(fastifyPlugin, { store, scope: 'dangerously-shared' })
    const effect = async (request: { body: unknown }, reply: FastifyReply) => {
      effects.push((request.body as { type: string }).type)
      reply.code(await answer(effects.length))
      return { number: effects.length }
    }
    const config = { idempotency: receiveWebhook(options) }
    app.post('/webhooks', { config }, effect)
    app.post('/shipping', { config }, effect)
    app.post('/orders', effect)
    await app.listen({ port: 0, host: '127.0.0.1' })
    onTestFinished(() => app.close())
    return { effects, post: poster((app.server.address() as AddressInfo).port) }
  },

  async web(options, answer = well) {
    const effects: string[] = []
    const store = memoryStore()
    const effect = async (request: Request) => {
      effects.push(((await request.json()) as { type: string }).type)
      const status = await answer(effects.length)
      return Response.json({ number: effects.length }, { status })
    }
    const received = web({ store, ...receiveWebhook(options) })
    const routes: Record<string, (request: Request) => Promise<Response>> = {
      '/webhooks': received(effect),
      '/shipping': received(effect),
      '/orders': web({ store, scope: 'dangerously-shared' })(effect),
    }
    return {
      effects,
      async post(path, headers, body) {
        const route = routes[path.split('?')[0] as string]
        if (route === undefined) return new Response(null, { status: 404 })
        const sent = { 'content-type': 'application/json', ...headers }
        const init = { method: 'POST', headers: sent, body }
        return await route(new Request(`http://site.example${path}`, init))
      },
    }
  },

  async hono(options, answer = well) {
    const effects: string[] = []
    const store = memoryStore()
    const app = new Hono()
    const effect = async (c: Context) => {
      effects.push((await c.req.json()).type)
      const status = (await answer(effects.length)) as 200
      return c.json({ number: effects.length }, status)
    }
    const received = hono({ store, ...receiveWebhook(options) })
    for (const path of ['/webhooks', '/shipping']) app.post(path, received, effect)
    app.post('/orders', hono({ store, scope: 'dangerously-shared' }), effect)
    return {
      effects,
      post: async (path, headers, body) =>
        app.request(path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body,
        }),
    }
  },
}

function poster(port: number): Site['post'] {
  return (path, headers, body) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    })
}

export const body = '{"type":"invoice.paid","data":{"id":1}}'
export const secret = generateSecret()

export interface Delivery {
  readonly id: string
  readonly secrets?: string[]
  readonly ago?: number
  readonly sent?: string
}
