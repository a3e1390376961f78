import { once as emitted } from 'node:events'
import {
  connect,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import { expect, test } from 'vitest'

/** What `writeHead` throws in the app after `handle` ran over HTTP/2. */
async function thrownBy(handle: (res: Http2ServerResponse) => void): Promise<unknown[]> {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  const thrown: unknown[] = []
  const server = createServer((req: Http2ServerRequest, res: Http2ServerResponse) => {
    once(req as never, res as never, () => handle(res)).catch(() => {
      try {
        res.writeHead(500).end()
      } catch (error) {
        thrown.push((error as { code?: string }).code ?? error)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const request = client.request({ ':method': 'POST', 'idempotency-key': 'k' })
  request
    .on('error', () => {})
    .resume()
    .end()
  await new Promise((resolve) => request.on('close', resolve))
  client.close()
  server.close()
  return thrown
}

const fail = () => {
  throw new Error('failed')
}

test('an app that responds after its handler failed gets no error from the adapter', async () => {
  expect(await thrownBy(fail)).toEqual([])
})

test('an app that responds a second time gets the headers-sent error', async () => {
  const twice = (res: Http2ServerResponse) => {
    res.writeHead(201)
    fail()
  }
  expect(await thrownBy(twice)).toEqual(['ERR_HTTP2_HEADERS_SENT'])
})
