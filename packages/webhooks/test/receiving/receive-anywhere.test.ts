import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency as express } from '@oncekey/express'
import fastifyPlugin from '@oncekey/fastify'
import {
  generateKeyPair,
  generateSecret,
  github,
  receiveWebhook,
  signWebhook,
  stripe,
} from '@oncekey/webhooks'
import expressApp from 'express'
import fastify from 'fastify'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { body, type Delivery, type Site, secret, sites } from './receiving-sites.ts'

describe.each(Object.entries(sites))('a webhook at %s', (_, site) => {
  const deliver = async (
    { post }: Site,
    { id, secrets = [secret], ago = 0, sent = body }: Delivery,
  ) => {
    const timestamp = new Date(Date.now() - ago * 1_000)
    const headers = { ...signWebhook({ id, body, secrets, timestamp }) }
    const response = await post('/webhooks', headers, sent)
    return {
      status: response.status,
      replayed: response.headers.get('x-idempotency-replayed'),
      answer: await response.json(),
    }
  }

  test('takes effect once, however often and concurrently it is delivered', async () => {
    const one = await site({ secrets: [secret] })
    expect(await deliver(one, { id: 'msg-1', ago: 60 })).toMatchObject({
      status: 200,
      replayed: null,
      answer: { number: 1 },
    })
    const again = await Promise.all(Array.from({ length: 20 }, () => deliver(one, { id: 'msg-1' })))
    for (const each of again) {
      expect(each).toMatchObject({ status: 200, replayed: 'true', answer: { number: 1 } })
    }
    expect(await deliver(one, { id: 'msg-2' })).toMatchObject({ answer: { number: 2 } })
    expect(one.effects).toEqual(['invoice.paid', 'invoice.paid'])
  })

  test('is verified before its id is claimed or its response replayed', async () => {
    const one = await site({ secrets: [secret] })
    await deliver(one, { id: 'msg-1' })
    const refused = { status: 401, replayed: null, answer: { code: 'not-authentic' } }
    const other = generateSecret()
    expect(await deliver(one, { id: 'msg-1', secrets: [other] })).toMatchObject(refused)
    expect(await deliver(one, { id: 'msg-1', ago: 301 })).toMatchObject(refused)
    expect(await deliver(one, { id: 'msg-1', ago: -400 })).toMatchObject(refused)
    const changed = body.replace('paid', 'void')
    expect(await deliver(one, { id: 'msg-2', sent: changed })).toMatchObject(refused)
    // The JSON is equal, but the bytes differ.
    expect(await deliver(one, { id: 'msg-2', sent: ` ${body}` })).toMatchObject(refused)
    expect((await one.post('/webhooks', {}, body)).status).toBe(401)
    // A forged delivery has not used up the id.
    expect(await deliver(one, { id: 'msg-2' })).toMatchObject({ status: 200, replayed: null })
  })

  test('is accepted under each secret in force, of either kind', async () => {
    const pair = generateKeyPair()
    const one = await site({ secrets: async () => [secret, pair.publicKey] })
    expect(await deliver(one, { id: 'msg-1', secrets: [pair.secret] })).toMatchObject({
      status: 200,
    })
    expect(await deliver(one, { id: 'msg-2', secrets: [generateSecret(), secret] })).toMatchObject({
      status: 200,
    })
  })

  test.each([404, 400, 422, 302, 500])(
    'that its handler answered with %i is not final: it runs again once the handler is repaired',
    async (status) => {
      const one = await site({ secrets: [secret] }, (effect) => (effect === 1 ? status : 200))
      expect((await deliver(one, { id: 'msg-1' })).status).toBe(status)
      expect(await deliver(one, { id: 'msg-1' })).toMatchObject({ status: 200, replayed: null })
      expect(await deliver(one, { id: 'msg-1' })).toMatchObject({ status: 200, replayed: 'true' })
      expect(one.effects).toHaveLength(2)
    },
  )

  test('that is authentic is identified by its id alone, whatever else changes', async () => {
    const one = await site({ secrets: [secret] })
    expect(await deliver(one, { id: 'msg-1' })).toMatchObject({ status: 200, replayed: null })
    const reworded = '{"type":"invoice.paid","data":{"id":1,"sent":2}}'
    const headers = { ...signWebhook({ id: 'msg-1', body: reworded, secrets: [secret] }) }
    const again = await one.post('/webhooks?attempt=2', headers, reworded)
    expect([again.status, again.headers.get('x-idempotency-replayed')]).toEqual([200, 'true'])
    expect(one.effects).toHaveLength(1)
  })

  test('that arrives while the first attempt is running gets a status that makes senders retry', async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const one = await site({ secrets: [secret] }, async () => {
      await finished
      return 200
    })
    const first = deliver(one, { id: 'msg-1' })
    await vi.waitFor(() => expect(one.effects).toHaveLength(1))
    const headers = { ...signWebhook({ id: 'msg-1', body, secrets: [secret] }) }
    const second = await one.post('/webhooks', headers, body)
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await second.json()).toMatchObject({ code: 'in-progress', status: 503 })
    finish()
    expect(await first).toMatchObject({ status: 200 })
  })

  test('with one id at two routes counts as two webhooks', async () => {
    const one = await site({ secrets: [secret] })
    const headers = { ...signWebhook({ id: 'msg-1', body, secrets: [secret] }) }
    for (const path of ['/webhooks', '/shipping']) {
      const answer = await one.post(path, headers, body)
      expect([answer.status, answer.headers.get('x-idempotency-replayed')]).toEqual([200, null])
    }
    expect(one.effects).toHaveLength(2)
  })

  test('takes effect once under all spellings of its path', async () => {
    const one = await site({ secrets: [secret] })
    const headers = { ...signWebhook({ id: 'msg-1', body, secrets: [secret] }) }
    const spellings = ['/webhooks', '/WebHooks', '/webhooks/', '/webhook%73', '//webhooks']
    const more = ['/webhooks//', '/webhooks;a=1', '/webhooks?a=1', '/WEBHOOKS/?a=1', '/%77ebhooks/']
    for (const path of [...spellings, ...more]) await one.post(path, headers, body)
    expect(one.effects).toHaveLength(1)
  })

  test('of Stripe is identified by the id of its event, in the body', async () => {
    const one = await site({ sender: stripe, secrets: ['whsec_stripe'] })
    const sent = '{"id":"evt_1","type":"charge.succeeded"}'
    const at = Math.floor(Date.now() / 1000)
    const signed = (time: number) => ({
      'stripe-signature': `t=${time},v1=${createHmac('sha256', 'whsec_stripe').update(`${time}.${sent}`).digest('hex')}`,
    })
    expect((await one.post('/webhooks', signed(at), sent)).status).toBe(200)
    const again = await one.post('/webhooks', signed(at + 60), sent)
    expect([again.status, again.headers.get('x-idempotency-replayed')]).toEqual([200, 'true'])
    expect((await one.post('/webhooks', { 'stripe-signature': 't=1,v1=00' }, sent)).status).toBe(
      401,
    )
    expect(one.effects).toEqual(['charge.succeeded'])
  })

  test('of GitHub, whose id is not signed, is refused with another body under a used id', async () => {
    const one = await site({ sender: github, secrets: ['hush'] })
    const send = (sent: string) =>
      one.post(
        '/webhooks',
        {
          'x-github-delivery': '72d3162e',
          'x-hub-signature-256': `sha256=${createHmac('sha256', 'hush').update(sent).digest('hex')}`,
        },
        sent,
      )
    const statuses = [
      (await send('{"type":"push"}')).status,
      (await send('{"type":"pull"}')).status,
    ]
    expect(statuses).toEqual([200, 422])
    expect(one.effects).toEqual(['push'])
  })

  test('never meets a key that a client chose', async () => {
    const one = await site({ secrets: [secret] })
    await deliver(one, { id: 'msg-1' })
    const order = await one.post('/orders', { 'idempotency-key': 'msg-1' }, body)
    expect(order.headers.get('x-idempotency-replayed')).toBeNull()
    expect(await order.json()).toEqual({ number: 2 })
    // A client's key header has no meaning on a route for webhooks.
    const headers = { ...signWebhook({ id: 'msg-3', body, secrets: [secret] }) }
    const sent = await one.post('/webhooks', { ...headers, 'idempotency-key': 'msg-1' }, body)
    expect(await sent.json()).toEqual({ number: 3 })
  })

  test('without an id, or with two, is refused', async () => {
    const one = await site({ secrets: [secret] })
    const { 'webhook-id': id, ...rest } = signWebhook({ id: 'msg-1', body, secrets: [secret] })
    expect((await one.post('/webhooks', rest, body)).status).toBe(401)
    const twice = { ...rest, 'webhook-id': `${id}, ${id}` }
    expect([400, 401]).toContain((await one.post('/webhooks', twice, body)).status)
    expect(one.effects).toEqual([])
  })
})

test('a body of megabytes is verified over its bytes', async () => {
  const app = fastify({ bodyLimit: 10_000_000 })
  await app.register(fastifyPlugin, {
    store: memoryStore(),
    ...receiveWebhook({ secrets: [secret] }),
  })
  app.post('/', async () => 'taken')
  const large = JSON.stringify({ type: 'report.ready', data: 'x'.repeat(3_000_000) })
  const headers = { ...signWebhook({ id: 'msg-1', body: large, secrets: [secret] }) }
  const deliver = () =>
    app.inject({
      method: 'POST',
      url: '/',
      headers: { 'content-type': 'application/json', ...headers },
      body: large,
    })
  expect((await deliver()).statusCode).toBe(200)
  expect((await deliver()).headers['x-idempotency-replayed']).toBe('true')
  await app.close()
})

test('an id that arrives on two header lines is not authentic', async () => {
  const store = memoryStore()
  const app = expressApp()
  app.use(
    expressApp.raw({ type: () => true }),
    express({ store, ...receiveWebhook({ secrets: [secret] }) }),
  )
  app.post('/', (_req, res) => void res.end())
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { request } = await import('node:http')
  const headers = signWebhook({ id: 'msg-1', body, secrets: [secret] })
  const status = await new Promise((resolve) => {
    const sent = request({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/',
      headers: { ...headers, 'webhook-signature': [headers['webhook-signature'], 'v1,AAAA'] },
    })
    sent.on('response', (response) => resolve(response.statusCode))
    sent.end(body)
  })
  expect(status).toBe(401)
})
