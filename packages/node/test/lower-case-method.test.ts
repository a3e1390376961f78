import { once as emitted } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'

// A bug: Node passes on the method of HTTP/2 as it was sent, so that `post` was no POST and ran
// without a claim, while routers take it for one.
test('a method in lower case, over HTTP/2, is covered and the same request', async () => {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  let runs = 0
  const server = createServer((req, res) => {
    const handle = () => {
      runs += 1
      res.end(String(runs))
    }
    void once(req as never, res as never, handle)
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  const send = async (method: string, key: string | undefined) => {
    const stream = session.request({
      ':method': method,
      ':path': '/orders',
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    })
    stream.end('{"item":"violin"}')
    const [headers] = await emitted(stream, 'response')
    const body = await text(stream)
    return [
      headers[':status'],
      headers['x-idempotency-replayed'],
      headers[':status'] === 200 && body,
    ]
  }
  expect(await send('post', 'k')).toEqual([200, undefined, '1'])
  expect(await send('post', 'k')).toEqual([200, 'true', '1'])
  expect(await send('POST', 'k')).toEqual([200, 'true', '1'])
  expect(await send('Patch', 'k')).toEqual([422, undefined, false])
  expect(await send('post', undefined)).toEqual([400, undefined, false])
  expect(await send('get', undefined)).toEqual([200, undefined, '2'])
})
