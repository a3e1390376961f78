import { once as emitted } from 'node:events'
import { createServer } from 'node:http'
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

// A bug: the connection was ended in place of an answer.
test.each([
  ['with a length', 5_000_000],
  ['in chunks', 5_000_000],
  ['just over the limit', 1_100_000],
])('a form that is too large gets an answer: %s', async (how, size) => {
  const url = await served(forMaria())
  for (let round = 0; round < 3; round++) {
    const response = await send(url, how === 'in chunks' ? inChunks(size) : 'x'.repeat(size))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: expect.stringContaining('At most') })
  }
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

function send(url: string, body: string | ReadableStream): Promise<Response> {
  return fetch(`${url}api/v1/keys/release`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
    ...(typeof body !== 'string' && { duplex: 'half' }),
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
