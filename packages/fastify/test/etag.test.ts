import { Readable } from 'node:stream'
import etag from '@fastify/etag'
import { memoryStore } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, post } from './app.ts'

describe('a replay behind @fastify/etag has the validator of the first response, or none', () => {
  async function app(outside?: string) {
    const app = bareApp()
    await app.register(etag)
    await app.register(idempotency, { store: memoryStore(), scope: () => 'ana' })
    app.addHook('onRequest', async (_request, reply) => {
      if (outside !== undefined) reply.header('etag', outside)
    })
    app.post('/buffer', async (_request, reply) => reply.type('text/plain').send('made'))
    app.post('/stream', async (_request, reply) =>
      reply.type('text/plain').send(Readable.from(['made'])),
    )
    app.post('/raw', (_request, reply) => {
      reply.hijack()
      reply.raw.setHeader('content-type', 'text/plain')
      if (outside !== undefined) reply.raw.setHeader('etag', outside)
      reply.raw.end('made')
    })
    return app
  }

  for (const path of ['/buffer', '/stream', '/raw']) {
    for (const outside of [undefined, '"outside"']) {
      test(`${path}, ${outside ?? 'nothing'} set outside`, async () => {
        const served = await app(outside)
        const first = await post(served, path, { key: 'k' })
        const again = await post(served, path, { key: 'k' })
        expect(again.headers['x-idempotency-replayed']).toBe('true')
        expect(again.headers.etag).toBe(first.headers.etag)
        expect(again.bytes.toString()).toBe('made')
        if (outside !== undefined) expect(first.headers.etag).toBe(outside)
        else expect(first.headers.etag !== undefined).toBe(path === '/buffer')
      })
    }
  }
})
