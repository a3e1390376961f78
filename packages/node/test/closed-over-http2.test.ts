import { once as emitted } from 'node:events'
import { connect, createServer, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/node'
import { expect, onTestFinished, test } from 'vitest'

type Handler = (res: Http2ServerResponse) => void

function door() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/**
 * A site over HTTP/2. `ask` returns status, whether it is a replay, and the body, always for the
 * same key.
 */
async function site(handler: Handler, options: { handlerTimeoutMs?: number } = {}) {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared', ...options })
  const runs = { count: 0 }
  const server = createServer((req, res) => {
    void once(req as never, res as never, () => {
      runs.count += 1
      handler(res)
    })
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  async function ask(): Promise<string> {
    const request = client.request({ ':method': 'POST', 'idempotency-key': 'k' })
    let head = 'none'
    let body = ''
    request.on('response', (headers) => {
      head = `${headers[':status']}${headers['x-idempotency-replayed'] ? ' replayed' : ''}`
    })
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('error', () => {})
    request.end()
    await new Promise((resolve) => request.on('close', resolve))
    return `${head} ${body}`.trim()
  }
  return { ask, runs }
}

test('a handler that closes its stream halfway through the response frees the key at once', async () => {
  const { ask, runs } = await site((res) => {
    if (runs.count > 1) return void res.writeHead(201).end('whole')
    res.writeHead(200)
    res.write('half')
    res.stream.close(8)
  })
  expect(await ask()).toBe('none')
  expect(await ask()).toBe('201 whole')
  expect(await ask()).toBe('201 replayed whole')
  expect(runs.count).toBe(2)
})

test('a handler that closes its stream after responding still has its full response sent', async () => {
  const { ask, runs } = await site((res) => {
    res.writeHead(201).end('whole')
    res.stream.close()
  })
  expect(await ask()).toBe('201 whole')
  expect(await ask()).toBe('201 replayed whole')
  expect(runs.count).toBe(1)
})

test('a handler that closes its stream and still responds is treated like one whose client hung up', async () => {
  const answered = door()
  const { ask, runs } = await site((res) => {
    res.stream.close()
    res.stream.once('close', () => {
      res.writeHead(201).end('whole')
      answered.open()
    })
  })
  expect(await ask()).toBe('none')
  await answered.opened
  await expect.poll(ask).toBe('201 replayed whole')
  expect(runs.count).toBe(1)
})

test('a handler that answers by methods kept from before its stream was held does not crash the process after its timeout', async () => {
  const { ask, runs } = await site(
    (res) => {
      const { respond, end } = Object.getPrototypeOf(res.stream)
      respond.call(res.stream, { ':status': 202 })
      end.call(res.stream, 'past')
    },
    { handlerTimeoutMs: 50 },
  )
  expect(await ask()).toBe('202 past')
  await expect.poll(ask).toBe('202 past')
  expect(runs.count).toBe(2)
})
