import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type MemoryStore, memoryStore } from '@oncekey/core'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import Fastify4 from 'fastify4'
import { onTestFinished } from 'vitest'
import idempotency, { type IdempotencyOptions } from '../src/index.ts'

/** Tests that depend on Fastify run on both versions. */
export const fastifyVersions: readonly [name: string, factory: typeof Fastify][] = [
  ['Fastify 5', Fastify],
  ['Fastify 4', Fastify4],
]

/** A plugin with its own store, and an app that closes with the test. */
export async function coveredApp(
  options: Partial<IdempotencyOptions> & {
    server?: FastifyServerOptions
    factory?: typeof Fastify
  } = {},
): Promise<{ app: FastifyInstance; store: MemoryStore }> {
  const { server, factory, ...rest } = options
  const store = memoryStore()
  const app = bareApp(server, factory)
  await app.register(idempotency, { store, scope: () => 'ana', ...rest })
  return { app, store: (rest.store as MemoryStore | undefined) ?? store }
}

export function bareApp(server: FastifyServerOptions = {}, factory = Fastify): FastifyInstance {
  const app = factory({ forceCloseConnections: true, ...server })
  onTestFinished(() => app.close())
  return app
}

export interface Got {
  readonly status: number
  readonly reason: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly trailers: NodeJS.Dict<string>
  readonly bytes: Buffer
  readonly body: string
  readonly replayed: boolean
}

export interface Sent {
  readonly key?: string | undefined
  readonly method?: string
  readonly headers?: Record<string, string | string[]>
  readonly body?: unknown
  readonly chunks?: readonly (string | Buffer)[]
  readonly signal?: AbortSignal
}

/** Sends over a real socket. */
export async function post(app: FastifyInstance, path: string, sent: Sent = {}): Promise<Got> {
  const port = await portOf(app)
  const { key, method = 'POST', headers = {}, body, chunks, signal } = sent
  const bytes = body === undefined ? undefined : bytesOf(body)
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port,
        host: '127.0.0.1',
        path,
        method,
        agent: false,
        ...(signal && { signal }),
        headers: {
          ...(bytes && { 'content-type': 'application/json', 'content-length': bytes.length }),
          ...(key !== undefined && { 'idempotency-key': key }),
          ...headers,
        },
      },
      (response) => {
        const received: Buffer[] = []
        response.on('data', (chunk) => received.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const whole = Buffer.concat(received)
          resolve({
            status: response.statusCode as number,
            reason: response.statusMessage as string,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            trailers: response.trailers,
            bytes: whole,
            body: whole.toString(),
            replayed: response.headers['x-idempotency-replayed'] === 'true',
          })
        })
      },
    )
    request.on('error', reject)
    for (const chunk of chunks ?? []) request.write(chunk)
    request.end(bytes)
  })
}

async function portOf(app: FastifyInstance): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

export const http2Server = {
  http2: true,
  serverFactory: (handler: never) => createServer(handler),
} as never

/** An HTTP/2 client that announces no length, as Node's does. */
export async function http2Client(app: FastifyInstance) {
  await app.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(app.listeningOrigin)
  onTestFinished(() => session.close())
  return async (key: string, body?: string | Buffer, type = 'application/json') => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/x',
      'idempotency-key': key,
      ...(body !== undefined && { 'content-type': type }),
    })
    stream.end(body)
    const [headers] = await once(stream, 'response')
    return [headers[':status'], await text(stream), headers['x-idempotency-replayed']]
  }
}

/** Waits for a condition. */
export async function until(condition: () => unknown): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 1000) throw new Error(`it never came true: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
