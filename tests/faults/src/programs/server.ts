import type { Adapter } from '../options.ts'
import { type ServeWith, shopFront } from './frameworks/shop-front.ts'
import { type ServerOptions, serverStore } from './server-options.ts'

/** Each process loads its own framework only, because a campaign often starts one. */
const frameworks: Record<Adapter, () => Promise<ServeWith>> = {
  express: async () => (await import('./frameworks/express.ts')).serve,
  fastify: async () => (await import('./frameworks/fastify.ts')).serve,
  node: async () => (await import('./frameworks/node.ts')).serve,
  hono: async () => (await import('./frameworks/hono.ts')).serve,
  koa: async () => (await import('./frameworks/koa.ts')).serve,
  'nestjs-express': async () => (await import('./frameworks/nestjs.ts')).serveOnExpress,
  'nestjs-fastify': async () => (await import('./frameworks/nestjs.ts')).serveOnFastify,
}

const options: ServerOptions = JSON.parse(process.argv[2] ?? '')
const { adapter, gatewayUrl, port } = options
const serve = await frameworks[adapter]()
const { store, leftOver } = await serverStore(options)
await serve(shopFront(store, { gatewayUrl, port, leftOver }))
console.log(JSON.stringify({ ready: true }))
