import { once as happens } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createUpstream } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency, type NodeRequest } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'
import { connectTo } from './connection.ts'
import { listening } from './http2-front.ts'

// A bug: the reset of another connection was taken for the client's hang-up.
test('a body that was put back is destroyed with the error of an upstream', async () => {
  const upstreams = createUpstream((socket) => socket.resetAndDestroy()).listen(0, '127.0.0.1')
  onTestFinished(() => void upstreams.close())
  await happens(upstreams, 'listening')
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
  let told = (_: { req: NodeRequest; reset: NodeJS.ErrnoException }) => {}
  const handled = new Promise<Parameters<typeof told>[0]>((resolve) => {
    told = resolve
  })
  const { url, close } = await listening(
    createServer((req, res) => {
      void once(req as NodeRequest, res, () => {
        const upstream = connect((upstreams.address() as AddressInfo).port, '127.0.0.1').resume()
        req.on('error', () => {})
        upstream.on('error', (reset) => {
          req.destroy(reset)
          told({ req: req as NodeRequest, reset })
        })
      })
    }),
  )
  onTestFinished(close)
  const connection = await connectTo(Number(new URL(url).port))
  connection.post('/', { 'Idempotency-Key': 'k' })
  const { req, reset } = await handled
  expect(reset.code).toBe('ECONNRESET')
  expect(req.destroyed).toBe(true)
  expect(req.errored).toBe(reset)
})
