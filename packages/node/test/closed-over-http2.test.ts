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
async function site(handler: Handler) {
  const once = idempotency({ store: memoryStore(), scope: 'dangerously-shared' })
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

// A bug: the response left without a record, the run was undone in the end, and it ran again.
test('a handler that responds on the stream itself is done once', async () => {
  const { ask, runs } = await site((res) => {
    res.stream.respond({ ':status': 202 })
    res.stream.end('past')
  })
  expect(await ask()).toBe('202 past')
  expect(await ask()).toBe('202 replayed past')
  expect(runs.count).toBe(1)
})

test('a handler that would send a file on the stream is told what to do instead', async () => {
  const { ask } = await site((res) => {
    expect(() => res.stream.respondWithFile('package.json')).toThrow(/Pipe the file into/)
    expect(() => res.stream.respondWithFD(0)).toThrow(/Pipe the file into/)
    res.writeHead(201).end('whole')
  })
  expect(await ask()).toBe('201 whole')
  expect(await ask()).toBe('201 replayed whole')
})
