import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web'
import { idempotency as ofHono } from '@oncekey/web/hono'
import { Hono } from 'hono'
import { expect, onTestFinished, test } from 'vitest'

const URL_OF_SHOP = 'https://shop.example/orders'
const init = { method: 'POST', headers: { 'idempotency-key': 'k' }, body: 'amount=1' }

test('a request whose signal has aborted before the claim is not claimed, and its retry runs', async () => {
  const client = new AbortController()
  const once = idempotency({
    store: memoryStore(),
    scope: async () => {
      client.abort()
      return 'ana'
    },
  })
  const seen: string[] = []
  const handle = once(async (request) => {
    seen.push(await request.text())
    return new Response('taken')
  })
  // What an adaptor makes of a body that was cut off.
  const cutOff = new Request(URL_OF_SHOP, { ...init, body: '', signal: client.signal })
  await expect(handle(cutOff)).rejects.toMatchObject({ code: 'ECONNABORTED', status: 400 })
  expect((await handle(new Request(URL_OF_SHOP, init))).status).toBe(200)
  expect(seen).toEqual(['amount=1'])
})

test('a mock of a request of Node, which does not know whether it is complete, is not cut off', async () => {
  const once = ofHono({ store: memoryStore(), scope: 'dangerously-shared' })
  const app = new Hono().post('/orders', once, async (c) => c.text(await c.req.text()))
  const env = { incoming: { httpVersionMajor: 1, destroyed: true, aborted: false } }
  expect(await (await app.request('/orders', init, env)).text()).toBe('amount=1')
})

// A bug: nobody held the promise that the function had returned, and its rejection ended the
// process.
test('a fingerprint that would fail because the client has gone does not end the process', async () => {
  const rejected: unknown[] = []
  const note = (reason: unknown) => void rejected.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const client = new AbortController()
  const once = idempotency({
    store: memoryStore(),
    scope: async () => {
      client.abort()
      return 'ana'
    },
    fingerprint: async (request) => {
      await request.text()
      throw new Error('the body was cut off')
    },
  })
  const handle = once(async () => new Response('taken'))
  const cutOff = new Request(URL_OF_SHOP, { ...init, signal: client.signal })
  await expect(handle(cutOff)).rejects.toMatchObject({ code: 'ECONNABORTED' })
  await new Promise((resolve) => setImmediate(resolve))
  expect(rejected).toEqual([])
})

test('a request whose client goes while fingerprint waits is not claimed, and its retry runs', async () => {
  const client = new AbortController()
  const once = idempotency({
    store: memoryStore(),
    scope: 'dangerously-shared',
    fingerprint: async (request) => {
      const body = await request.text()
      if (body === '') client.abort()
      return body
    },
  })
  const handle = once(async (request) => new Response(await request.text()))
  const cutOff = new Request(URL_OF_SHOP, { ...init, body: '', signal: client.signal })
  await expect(handle(cutOff)).rejects.toMatchObject({ code: 'ECONNABORTED', status: 400 })
  expect(await (await handle(new Request(URL_OF_SHOP, init))).text()).toBe('amount=1')
})
