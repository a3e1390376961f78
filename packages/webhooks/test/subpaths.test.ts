import { beforeAll, expect, test, vi } from 'vitest'

/** Modules that only sending from a database needs. In this file, importing any of them fails. */
const REFUSED = ['pg', 'undici', 'ipaddr.js', '@oncekey/outbox', '@oncekey/postgres/client']

beforeAll(() => {
  for (const name of REFUSED) {
    vi.doMock(name, () => {
      throw new Error(`refused: ${name}`)
    })
  }
})

test('`@oncekey/webhooks/receive` loads without the outbox, a database or an HTTP client', async () => {
  expect(Object.keys(await import('@oncekey/webhooks/receive'))).toEqual(
    expect.arrayContaining(['receiveWebhook', 'stripe', 'standard', 'verifyWebhook']),
  )
})

test('`@oncekey/webhooks/sign` loads without the outbox, a database or an HTTP client', async () => {
  expect(Object.keys(await import('@oncekey/webhooks/sign'))).toEqual(
    expect.arrayContaining(['signWebhook', 'verifyWebhook', 'generateSecret', 'generateKeyPair']),
  )
})

test('the main entry imports what is refused here, so a subpath that imported it would fail', async () => {
  const refusal: Error = await import('@oncekey/webhooks').catch((error) => error)
  expect(String(refusal.cause)).toMatch(/refused: /)
})
