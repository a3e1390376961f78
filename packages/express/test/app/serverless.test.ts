import { memoryStore } from '@oncekey/core'
import { idempotency, keepRawBody } from '@oncekey/express'
import serverless from 'serverless-http'
import { expect, test } from 'vitest'
import { expressVersions, quietApp } from '../support/served.ts'

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
test.each(expressVersions)(
  'behind serverless-http a header with a comma is read: %s',
  async (...given) => {
    const [, express] = given
    const signatures: unknown[] = []
    const app = quietApp(express)
    const once = idempotency({
      store: memoryStore(),
      scope: 'dangerously-shared',
      authenticate: (request) => void signatures.push(...request.header('stripe-signature')),
    })
    let runs = 0
    app.post('/orders', express.json({ verify: keepRawBody }), once, (_req, res) => {
      runs += 1
      res.status(201).json({ runs })
    })
    const handle = serverless(app)
    const send = async (key: string) => {
      const headers = { 'idempotency-key': key, 'stripe-signature': 't=1,v1=abc' }
      const { statusCode, body } = (await handle(event(headers), {})) as Answer
      if (statusCode >= 500) throw new Error(body)
      return [statusCode, body.includes('"runs"') ? body : JSON.parse(body).code]
    }
    expect(await send('a')).toEqual([201, '{"runs":1}'])
    expect(await send('a')).toEqual([201, '{"runs":1}'])
    expect(await send('a,b')).toEqual([400, 'key-invalid'])
    expect(await send('"a,b"')).toEqual([201, '{"runs":2}'])
    expect(signatures[0]).toBe('t=1,v1=abc')
  },
)

interface Answer {
  readonly statusCode: number
  readonly body: string
}
