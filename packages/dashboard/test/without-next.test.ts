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

// The body is given up while the client still sends it.
test.each([
  ['with a length', 5_000_000],
  ['in chunks', 5_000_000],
  ['just over the limit', 1_100_000],
])('a form that is too large is refused and harms nobody: %s', async (how, size) => {
  const store = memoryStore({ mode: 'lease' })
  const url = await served(
    dashboard({ store, authorize: () => ({ actor: 'maria', may: 'all' }) }),
  )
  const text = `note=${'x'.repeat(size)}&confirmed=yes`
  const body =
    how === 'in chunks'
      ? new ReadableStream({
          start(controller) {
            const bytes = Buffer.from(text)
            for (let at = 0; at < bytes.length; at += 50_000) {
              controller.enqueue(bytes.subarray(at, at + 50_000))
            }
            controller.close()
          },
        })
      : text
  for (let round = 0; round < 3; round++) {
    if (typeof body !== 'string' && round > 0) break
    const response = await fetch(`${url}api/v1/keys/release`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
      ...(typeof body !== 'string' && { duplex: 'half' }),
    } as RequestInit)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: expect.stringContaining('At most') })
  }
  const next = await fetch(`${url}keys/one?${new URLSearchParams({ ...NAME, key: 'k' })}`)
  expect(next.status).toBe(404)
})
