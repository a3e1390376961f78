import { memoryStore } from '@oncekey/core'
import serverless from 'serverless-http'
import { expect, test } from 'vitest'
import { coveredApp } from './app.ts'

/** An event of API Gateway (HTTP API). */
const event = (headers: Record<string, string>) => ({
  version: '2.0',
  rawPath: '/orders',
  rawQueryString: '',
  headers: { 'content-type': 'application/json', ...headers },
  requestContext: { http: { method: 'POST', sourceIp: '192.0.2.1' } },
  body: '{"item":"violin"}',
})

// A bug: serverless-http sets `headers` and leaves `rawHeaders` empty, and a header with a comma
// counted as missing.
test('behind serverless-http a header with a comma is read', async () => {
  const signatures: unknown[] = []
  const { app } = await coveredApp({
    store: memoryStore(),
    authenticate: (request) => void signatures.push(...request.header('stripe-signature')),
  })
  let runs = 0
  app.post('/orders', async (_request, reply) => reply.code(201).send({ runs: ++runs }))
  await app.ready()
  // The app itself would be given the request by `inject`, which sets both.
  const handle = serverless(app.server)
  const send = async (key: string) => {
    const headers = { 'idempotency-key': key, 'stripe-signature': 't=1,v1=abc' }
    const { statusCode, body } = (await handle(event(headers), {})) as Answer
    return [statusCode, body.includes('"runs"') ? body : JSON.parse(body).code]
  }
  expect(await send('a')).toEqual([201, '{"runs":1}'])
  expect(await send('a')).toEqual([201, '{"runs":1}'])
  expect(await send('a,b')).toEqual([400, 'key-invalid'])
  expect(await send('"a,b"')).toEqual([201, '{"runs":2}'])
  expect(signatures[0]).toBe('t=1,v1=abc')
})

interface Answer {
  readonly statusCode: number
  readonly body: string
}
