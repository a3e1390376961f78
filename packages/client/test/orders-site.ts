import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import express from 'express'
import { build } from 'tsdown'

/** What happens to a response that the server has committed. */
export type Fate = 'arrives' | 'is lost' | 'is cut' | 'never comes'

/** An orders API behind `@oncekey/express` and a page with the client, on one origin. */
export interface OrdersSite {
  /** The page's URL; its orders API is at `orders`. */
  readonly url: string
  /** The orders that took effect, in order. */
  readonly orders: readonly string[]
  /** The keys of all order requests, in order. */
  readonly keys: readonly string[]
  /** Sets what happens to the next responses; later ones arrive. */
  fates(...fates: Fate[]): void
  close(): Promise<void>
}

/** `script` is the bundled client. */
export async function startOrdersSite(script: string): Promise<OrdersSite> {
  const orders: string[] = []
  const keys: string[] = []
  const fates: Fate[] = []

  const app = express()
  app.get('/shop/', (_, res) => void res.type('html').send(PAGE))
  app.get('/client.js', (_, res) => void res.type('js').send(script))
  app.use(allowOtherOrigins)
  app.post(
    '/shop/orders',
    (req, res, next) => {
      keys.push(String(req.headers['idempotency-key']))
      meet(fates.shift() ?? 'arrives', res)
      next()
    },
    express.text({ type: '*/*' }),
    idempotency({ store: memoryStore(), scope: () => 'the shopper' }),
    (req, res) => {
      orders.push(req.body)
      res.status(201).json({ number: orders.length, item: req.body })
    },
  )

  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}/shop/`,
    orders,
    keys,
    fates: (...next) => void fates.splice(0, fates.length, ...next),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const PAGE = `<!doctype html>
<title>Shop</title>
<script type="module">
  import * as client from '/client.js'
  window.client = client
</script>`

/** Bundles the source for a browser. */
export async function bundleClient(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), 'oncekey-client-'))
  try {
    await build({
      config: false,
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      entry: ['src/index.ts'],
      outDir,
      platform: 'browser',
      fixedExtension: false,
      dts: false,
      logLevel: 'error',
    })
    return await readFile(join(outDir, 'index.js'), 'utf8')
  } finally {
    await rm(outDir, { recursive: true })
  }
}

/**
 * The CORS headers that pages of other origins need to send a key and to see whether a response is
 * a replay.
 */
function allowOtherOrigins(req: IncomingMessage, res: ServerResponse, next: () => void): void {
  res.setHeader('access-control-allow-origin', '*')
  res.setHeader('access-control-allow-headers', 'Idempotency-Key, Content-Type')
  res.setHeader('access-control-expose-headers', 'X-Idempotency-Replayed, Retry-After')
  if (req.method === 'OPTIONS') res.writeHead(204).end()
  else next()
}

/**
 * Applies the fate of a response after everything is committed: the middleware behind it writes
 * through this.
 */
function meet(fate: Fate, res: ServerResponse): void {
  if (fate === 'arrives') return
  const write = res.write.bind(res)
  res.write = () => true
  res.end = () => {
    if (fate === 'is lost') res.socket?.destroy()
    if (fate === 'is cut') {
      res.setHeader('content-length', '1000')
      write('{"number":', () => res.socket?.destroy())
    }
    return res
  }
}
