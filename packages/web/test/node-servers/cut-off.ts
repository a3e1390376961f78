import { once as emitted } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency as ofFetch } from '@oncekey/web'
import { idempotency as ofHono } from '@oncekey/web/hono'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { NodeServer } from './versions.ts'

const WHOLE = 'amount=1000'
const HALF = 'amount=10'

/** What became of the requests: the bodies that the handler got, and how many errors there were. */
interface Record {
  readonly seen: string[]
  errors: number
}

type Fetch = (request: Request, env?: unknown) => Response | Promise<Response>

/** Apps in which something waits for `cut` before the body is read. */
const apps: { readonly [name: string]: (cut: Promise<void>, record: Record) => Fetch } = {
  'of Hono, after an option that waits': (cut, record) => {
    const once = ofHono({ store: memoryStore(), scope: () => cut.then(() => 'ana') })
    return hono(record).post('/', once, async (c) => taken(record, await c.req.text())).fetch
  },
  'of Hono, after a middleware that waits and reads it': (cut, record) => {
    const app = hono(record)
    app.use(async (c, next) => {
      await cut
      await c.req.text()
      await next()
    })
    const once = ofHono({ store: memoryStore(), scope: 'dangerously-shared' })
    return app.post('/', once, async (c) => taken(record, await c.req.text())).fetch
  },
  'of Hono, after an option that waits, with a fingerprint of its body': (cut, record) => {
    const once = ofHono({
      store: memoryStore(),
      scope: () => cut.then(() => 'ana'),
      fingerprint: async (c) => amountIn(await c.req.text()),
    })
    return hono(record).post('/', once, async (c) => taken(record, await c.req.text())).fetch
  },
  'of Hono, with a fingerprint that waits': (cut, record) => {
    const once = ofHono({
      store: memoryStore(),
      scope: 'dangerously-shared',
      fingerprint: (c) => cut.then(() => c.req.text()),
    })
    return hono(record).post('/', once, async (c) => taken(record, await c.req.text())).fetch
  },
  'of fetch, after an option that waits, with a fingerprint of its body': (cut, record) => {
    const once = ofFetch({
      store: memoryStore(),
      scope: () => cut.then(() => 'ana'),
      fingerprint: async (request) => amountIn(await request.text()),
    })
    const handle = once(async (request: Request, _env?: unknown) =>
      taken(record, await request.text()),
    )
    return (request, env) => handle(request, env).catch(() => failed(record))
  },
  'of fetch, after an option that waits': (cut, record) => {
    const once = ofFetch({ store: memoryStore(), scope: () => cut.then(() => 'ana') })
    const handle = once(async (request: Request, _env?: unknown) =>
      taken(record, await request.text()),
    )
    return (request, env) => handle(request, env).catch(() => failed(record))
  },
}

function hono(record: Record): Hono {
  return new Hono().onError(() => failed(record))
}

/** Throws, as parsers do, for an empty body: nobody may be left with the rejection. */
function amountIn(body: string): string {
  const amount = new URLSearchParams(body).get('amount')
  if (amount === null) throw new Error('the body is empty')
  return amount
}

function taken({ seen }: Record, body: string): Response {
  seen.push(body)
  return new Response('taken')
}

function failed(record: Record): Response {
  record.errors += 1
  return new Response('failed', { status: 500 })
}

/**
 * A body that is cut off while nobody reads it: version 2 of the server reads it as empty then, as
 * does version 1 where nobody has looked at the request before.
 */
export function describeCutOff({ serve }: NodeServer): void {
  describe.each(['HTTP/1.1', 'HTTP/2'] as const)('an upload over %s that is cut off', (version) => {
    test.each(Object.entries(apps))('is not claimed, and its retry runs: %s', async (_, app) => {
      let cutOff = (): void => {}
      const isCutOff = new Promise<void>((resolve) => {
        cutOff = resolve
      })
      const record: Record = { seen: [], errors: 0 }
      const fetch = app(isCutOff, record)
      const server =
        version === 'HTTP/2' ? serve({ fetch, createServer: createHttp2Server }) : serve({ fetch })
      server.listen(0, '127.0.0.1')
      await emitted(server, 'listening')
      onTestFinished(() => void server.close())

      await (version === 'HTTP/2' ? cutHttp2(server) : cutHttp1(server))
      cutOff()
      await vi.waitFor(() => expect(record.seen.length + record.errors).toBe(1), 10_000)
      const retry = version === 'HTTP/2' ? await sendHttp2(server) : await sendHttp1(server)
      expect({ retry, ...record }).toEqual({ retry: 200, seen: [WHOLE], errors: 1 })
    })
  })
}

/** A handler that reads the body itself, and refuses what it got of it. */
export function describeRefusedPart({ serve }: NodeServer): void {
  test.each(['HTTP/1.1', 'HTTP/2'] as const)(
    'what a handler refuses of an upload over %s that is cut off is not kept',
    async (version) => {
      const record: Record = { seen: [], errors: 0 }
      const app = new Hono()
      const fingerprint = () => 'the digest of a header'
      const options = { store: memoryStore(), scope: 'dangerously-shared', fingerprint } as const
      app.post('/', ofHono({ ...options, waitMs: 5_000 }), async (c) => {
        const body = await c.req.text().catch(() => HALF)
        if (body === WHOLE) return taken(record, body)
        record.errors += 1
        return c.text('the body is malformed', 400)
      })
      const { fetch } = app
      const server =
        version === 'HTTP/2' ? serve({ fetch, createServer: createHttp2Server }) : serve({ fetch })
      server.listen(0, '127.0.0.1')
      await emitted(server, 'listening')
      onTestFinished(() => void server.close())
      await (version === 'HTTP/2' ? cutHttp2(server) : cutHttp1(server))
      await vi.waitFor(() => expect(record.errors).toBe(1), 10_000)
      const retry = version === 'HTTP/2' ? await sendHttp2(server) : await sendHttp1(server)
      expect({ retry, ...record }).toEqual({ retry: 200, seen: [WHOLE], errors: 1 })
    },
  )
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

async function cutHttp1(server: Server): Promise<void> {
  const came = emitted(server, 'request') as Promise<[IncomingMessage]>
  const client = connect(portOf(server), '127.0.0.1')
  const head = `Host: x\r\nIdempotency-Key: k\r\nContent-Length: ${WHOLE.length}`
  client.write(`POST / HTTP/1.1\r\n${head}\r\n\r\n${HALF}`)
  const [{ socket }] = await came
  const gone = new Promise((resolve) => socket.once('close', resolve))
  client.destroy()
  await gone
}

async function sendHttp1(server: Server): Promise<number> {
  const headers = { 'idempotency-key': 'k', connection: 'close' }
  const body = new TextEncoder().encode(WHOLE)
  const url = `http://127.0.0.1:${portOf(server)}`
  return (await fetch(url, { method: 'POST', headers, body })).status
}

function open(server: Server) {
  const client = connectHttp2(`http://127.0.0.1:${portOf(server)}`)
  client.on('error', () => {})
  onTestFinished(() => client.destroy())
  const request = client.request({ ':method': 'POST', ':path': '/', 'idempotency-key': 'k' })
  request.on('error', () => {})
  return { client, request }
}

async function cutHttp2(server: Server): Promise<void> {
  const gone = emitted(server, 'stream').then(([stream]) => emitted(stream, 'close'))
  const { client, request } = open(server)
  request.write(HALF)
  await emitted(request, 'ready')
  // What was sent before it has arrived when a ping is answered.
  await new Promise((resolve) => client.ping(resolve))
  client.destroy()
  await gone
}

async function sendHttp2(server: Server): Promise<number | undefined> {
  const { request } = open(server)
  request.end(WHOLE)
  const [headers] = await emitted(request, 'response')
  return headers[':status']
}
