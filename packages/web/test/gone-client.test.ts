import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/web'
import { idempotency as ofHono } from '@oncekey/web/hono'
import { Hono } from 'hono'
import { expect, test } from 'vitest'

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
