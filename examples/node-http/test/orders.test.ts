import { once as happens } from 'node:events'
import { createServer } from 'node:http'
import { connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { app } from '../src/app.ts'

const server = createServer(app)
let url = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

async function order(key: string, body: object, account = 'ana') {
  const response = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: { 'x-account': account, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  })
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, body: await response.text() }
}

const books = async () => (await fetch(`${url}/books`)).json()

describe('an order', { timeout: 30_000 }, () => {
  test('is placed once, with its event, however often and concurrently it is sent', async () => {
    const first = await order('violin', { item: 'violin' })
    expect(first).toMatchObject({ status: 201, replayed: false })
    expect(await order('violin', { item: 'violin' })).toEqual({ ...first, replayed: true })
    expect((await order('violin', { item: 'cello' })).status).toBe(422)
    await Promise.all(Array.from({ length: 50 }, () => order('viola', { item: 'viola' })))
    expect(await books()).toEqual({ orders: 2, events: 2 })
  })

  test('that is refused is refused on every retry, and another account has its own keys', async () => {
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: false })
    expect(await order('none', {})).toMatchObject({ status: 422, replayed: true })
    expect(await order('violin', { item: 'violin' }, 'bo')).toMatchObject({ replayed: false })
    expect(await books()).toEqual({ orders: 3, events: 3 })
  })

  test('is placed once over HTTP/2 by the same listener', async () => {
    const http2 = createHttp2Server(app as unknown as Parameters<typeof createHttp2Server>[0])
    await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve))
    const session = connect(`http://127.0.0.1:${(http2.address() as AddressInfo).port}`)
    try {
      const answers = []
      for (const _ of ['first', 'again']) {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/orders',
          'x-account': 'ana',
          'content-type': 'application/json',
          'idempotency-key': 'harp',
        })
        stream.end('{"item":"harp"}')
        const [headers] = await happens(stream, 'response')
        answers.push([headers[':status'], headers['x-idempotency-replayed'], await text(stream)])
      }
      const [first, again] = answers
      expect(first).toEqual([201, undefined, expect.stringContaining('harp')])
      expect(again).toEqual([201, 'true', first?.[2]])
    } finally {
      session.destroy()
      http2.close()
    }
  })
})
