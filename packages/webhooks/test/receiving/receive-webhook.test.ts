import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency, keepRawBody } from '@oncekey/express'
import {
  generateSecret,
  github,
  receiveWebhook,
  shopify,
  signWebhook,
  slack,
  standard,
  stripe,
} from '@oncekey/webhooks'
import express, { type RequestHandler } from 'express'
import { describe, expect, onTestFinished, test } from 'vitest'

const secret = generateSecret()
const body = '{"type":"invoice.paid"}'

/** A receiver that counts the effects of each webhook. */
async function receiver(
  options: Parameters<typeof receiveWebhook>[0] = { secrets: [secret] },
  parser: RequestHandler = express.raw({ type: () => true }),
) {
  const effects: string[] = []
  const received = idempotency({ store: memoryStore(), ...receiveWebhook(options) })
  const app = express()
  app.post('/webhooks', parser, received, (req, res) => {
    const { type } = Buffer.isBuffer(req.body) ? JSON.parse(req.body.toString()) : req.body
    effects.push(type)
    res.json({ effects: effects.length })
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`
  const deliver = async (headers: object, sent = body) => {
    const response = await fetch(url, {
      method: 'POST',
      body: sent,
      headers: { 'content-type': 'application/json', ...headers },
    })
    return {
      status: response.status,
      replayed: response.headers.get('x-idempotency-replayed'),
      body: await response.json(),
    }
  }
  return { deliver, effects }
}

const signed = (id: string, secrets = [secret]) => ({ ...signWebhook({ id, body, secrets }) })

describe('receiveWebhook', () => {
  test('takes a webhook once, however often it is delivered', async () => {
    const { deliver, effects } = await receiver()
    const answers = []
    // Every attempt has its own timestamp and signature.
    for (const seconds of [0, 60, 120]) {
      const timestamp = new Date(Date.now() + seconds * 1000)
      const headers = signWebhook({ id: 'msg-1', body, secrets: [secret], timestamp })
      answers.push(await deliver(headers))
    }
    expect(answers.map(({ status, replayed }) => [status, replayed])).toEqual([
      [200, null],
      [200, 'true'],
      [200, 'true'],
    ])
    expect(effects).toEqual(['invoice.paid'])
  })

  test('reveals nothing to a forger, not even that a webhook was received', async () => {
    const { deliver, effects } = await receiver()
    expect((await deliver(signed('msg-1'))).status).toBe(200)
    const forged = await deliver(signed('msg-1', [generateSecret()]))
    expect(forged).toMatchObject({ status: 401, replayed: null, body: { code: 'not-authentic' } })
    const tampered = await deliver(signed('msg-2'), '{"type":"invoice.void"}')
    expect(tampered.status).toBe(401)
    expect((await deliver({})).status).toBe(401)
    expect(effects).toEqual(['invoice.paid'])
  })

  test('accepts both secrets during a rotation, even one added at run time', async () => {
    const [older, newer] = [generateSecret(), generateSecret()]
    let inForce = [older]
    const { deliver } = await receiver({ secrets: async () => inForce })
    expect((await deliver(signed('msg-1', [newer]))).status).toBe(401)
    inForce = [newer, older]
    expect((await deliver(signed('msg-1', [newer]))).status).toBe(200)
    expect((await deliver(signed('msg-2', [older]))).status).toBe(200)
  })

  test('works behind a JSON parser that keeps the bytes, and refuses one that does not', async () => {
    const kept = await receiver(undefined, express.json({ verify: keepRawBody }))
    expect((await kept.deliver(signed('msg-1'))).status).toBe(200)
    const errors: unknown[] = []
    const app = express()
    app.use(
      express.json(),
      idempotency({ store: memoryStore(), ...receiveWebhook({ secrets: [secret] }) }),
    )
    app.use(((error, _req, res, _next) => {
      errors.push(error.code)
      res.status(500).end()
    }) as express.ErrorRequestHandler)
    const server = app.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const headers = { 'content-type': 'application/json', ...signed('msg-1') }
    expect((await fetch(url, { method: 'POST', body, headers })).status).toBe(500)
    expect(errors).toEqual(['body-unseen'])
  })

  test('refuses unusable secrets at construction', () => {
    for (const secrets of [[], ['secret'], [undefined as unknown as string]]) {
      expect(() => receiveWebhook({ secrets })).toThrow(/secret/)
    }
    expect(() => receiveWebhook({ secrets: [secret], toleranceSeconds: 0 })).toThrow('over 0')
  })

  // A bug: with the line break of the file that it was read from, each delivery was not authentic.
  test.each([github, shopify, slack, stripe, standard])(
    'refuses a secret of $name with a line break at its end',
    (sender) => {
      const read = `${sender === standard ? secret : 'whsec_test'}\n`
      expect(() => receiveWebhook({ sender, secrets: [read] })).toThrow(/secret/)
    },
  )
})
