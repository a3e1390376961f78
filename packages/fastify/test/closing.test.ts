import { memoryStore } from '@oncekey/core'
import { expect, test } from 'vitest'
import idempotency from '../src/index.ts'
import { bareApp, coveredApp, post, until } from './app.ts'

test('close() lets running handlers finish and be stored, and claims nothing more', async () => {
  const { app, store } = await coveredApp({ server: { forceCloseConnections: 'idle' } })
  let release: (() => void) | undefined
  const order: string[] = []
  app.addHook('onClose', async () => void order.push('closed'))
  app.post('/x', async (request) => {
    const tx = (await request.idempotency?.transaction()) as { set(k: string, v: unknown): void }
    await new Promise<void>((resolve) => {
      release = resolve
    })
    tx.set('row', 1)
    order.push('answered')
    return { id: 1 }
  })
  const first = post(app, '/x', { key: 'k' })
  await until(() => release)
  const closing = app.close()
  await new Promise((resolve) => setTimeout(resolve, 30))
  release?.()
  expect((await first).body).toBe('{"id":1}')
  await closing
  expect(store.data.get('row')).toBe(1)
  expect(order).toEqual(['answered', 'closed'])
})

test('close() waits for handlers whose clients have gone, even longer than pluginTimeout', async () => {
  const { app, store } = await coveredApp({ server: { pluginTimeout: 50 } })
  let started = false
  app.post('/x', async (request) => {
    started = true
    const tx = (await request.idempotency?.transaction()) as { set(k: string, v: unknown): void }
    await new Promise((resolve) => setTimeout(resolve, 150))
    tx.set('row', 1)
    return { id: 1 }
  })
  const gone = new AbortController()
  const first = post(app, '/x', { key: 'k', signal: gone.signal })
  await until(() => started)
  gone.abort()
  await expect(first).rejects.toThrow()
  await app.close()
  expect(store.data.get('row')).toBe(1)
})

// A bug: each route with options of its own counted it again.
test('drain() counts what the store has still to send once', async () => {
  const store = { ...memoryStore(), settle: async () => 1 }
  const covered = idempotency.with({ store, scope: () => 'ana' })
  const app = bareApp()
  await app.register(covered)
  app.post('/x', { config: { idempotency: { required: false } } }, async () => 'x')
  await app.ready()
  expect(await covered.drain()).toBe(1)
})
