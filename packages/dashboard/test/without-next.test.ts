import { once as emitted } from 'node:events'
import { Agent, createServer, type RequestOptions, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '@oncekey/core'
import { NAME } from '@oncekey/test-shop'
import { expect, onTestFinished, test } from 'vitest'
import { type Dashboard, dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'

async function served(show: Dashboard): Promise<string> {
  const server = createServer(toNode(show))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await emitted(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

// A bug: on node:http and on Fastify nobody was told what failed; the answer was a blank 500.
test('what fails where there is no next is told in a process warning', async () => {
  const warnings: Error[] = []
  const note = (warning: Error): void => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const url = await served(
    dashboard({
      store: memoryStore({ mode: 'lease' }),
      authorize: () => {
        throw new Error('the session store is away')
      },
    }),
  )
  const response = await fetch(url)
  expect([response.status, await response.text()]).toEqual([500, ''])
  await new Promise((resolve) => setImmediate(resolve))
  const [told] = warnings.filter(({ message }) => message.includes('The dashboard'))
  expect(told?.message).toContain('the session store is away')
  expect(told?.message).toContain('without-next.test.ts')
})

test('a login whose body breaks off is a 500, and no empty page', async () => {
  const url = await served(
    dashboard({
      store: memoryStore({ mode: 'lease' }),
      authorize: () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.error(new Error('the login broke off')),
          }),
        ),
    }),
  )
  expect((await fetch(url)).status).toBe(500)
})

// A bug: the rest of the form stayed in the connection, on which no other request was answered.
test.each([
  ['with a length', 5_000_000],
  ['in chunks', 5_000_000],
  ['just over the limit', 1_100_000],
])('after a form that is too large its connection is still of use: %s', async (how, size) => {
  const url = await served(forMaria())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const ask = (path: string, options: RequestOptions, body?: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asking = request(`${url}${path}`, { agent, timeout: 3_000, ...options }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      asking.on('timeout', () => asking.destroy(new Error('There is no answer.')))
      asking.on('error', reject)
      for (let at = 0; body !== undefined && at < body.length; at += 50_000) {
        asking.write(body.slice(at, at + 50_000))
      }
      asking.end()
    })
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    ...(how !== 'in chunks' && { 'content-length': String(size) }),
  }
  const refused = await ask('api/v1/keys/release', { method: 'POST', headers }, 'x'.repeat(size))
  expect(refused).toBe(400)
  expect(await ask('api/v1/keys', {})).toBe(200)
})

test('a form without end is ended, and harms nobody else', async () => {
  const url = await served(forMaria())
  const ended = await send(url, inChunks(60_000_000)).then(
    ({ status }) => status,
    () => 'ended',
  )
  expect([400, 'ended']).toContain(ended)
  const next = await fetch(`${url}keys/one?${new URLSearchParams({ ...NAME, key: 'k' })}`)
  expect(next.status).toBe(404)
})

const forMaria = () =>
  dashboard({
    store: memoryStore({ mode: 'lease' }),
    authorize: () => ({ actor: 'maria', may: 'all' }),
  })

function send(url: string, body: ReadableStream): Promise<Response> {
  return fetch(`${url}api/v1/keys/release`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
    duplex: 'half',
  } as RequestInit)
}

function inChunks(size: number): ReadableStream {
  let left = size
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.alloc(Math.min(50_000, left), 'x'))
      left -= 50_000
      if (left <= 0) controller.close()
    },
  })
}
