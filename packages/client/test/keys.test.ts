import { createFetch, keyOf, OptionsError } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { memory, order, page } from './pending-page.ts'
import { answer, drop, scriptedServer } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

test.each(['POST', 'PATCH', 'post'])('%s gets a new UUID as its key, bare', async (method) => {
  const server = await scriptedServer(answer(200))
  const fetch = createFetch()
  const keys = [await fetch(server.url, { method }), await fetch(server.url, { method })].map(keyOf)
  expect(server.keys()).toEqual(keys)
  expect(keys[0]).toMatch(uuid)
  expect(keys[1]).not.toBe(keys[0])
})

test.each(['GET', 'HEAD', 'PUT', 'DELETE'])(
  '%s passes through unchanged and is not retried',
  async (method) => {
    const server = await scriptedServer(answer(503))
    const response = await createFetch(quick)(server.url, { method })
    expect(response.status).toBe(503)
    expect(server.keys()).toEqual([undefined])
  },
)

test('an uncovered call goes to fetch unchanged, including its failures', async () => {
  const send = vi.fn(async () => new Response())
  const fetch = createFetch({ fetch: send })
  const request = new Request('http://127.0.0.1:1/')
  const init: RequestInit = { headers: { accept: 'text/plain' } }
  await fetch(request, init)
  expect(send.mock.calls).toEqual([[request, init]])
  await expect(createFetch()('http://127.0.0.1:1/')).rejects.toBeInstanceOf(TypeError)
})

test('the covered methods are an option', async () => {
  const server = await scriptedServer(answer(200))
  const fetch = createFetch({ methods: ['delete'] })
  await fetch(server.url, { method: 'DELETE' })
  await fetch(server.url, { method: 'POST' })
  expect(server.keys()).toEqual([expect.stringMatching(uuid), undefined])
})

test("the caller's key is kept, and covers a method that is not", async () => {
  const server = await scriptedServer(drop, answer(200))
  const fetch = createFetch(quick)
  const response = await fetch(server.url, { method: 'PUT', idempotencyKey: 'order-7' })
  expect(server.keys()).toEqual(['order-7', 'order-7'])
  expect(keyOf(response)).toBe('order-7')
})

test.each([
  ['order-7', 'order-7'],
  ['"order-7"', 'order-7'],
  ['"a\\"b\\\\c"', 'a"b\\c'],
])('a header that the caller wrote, %s, is sent unchanged', async (line, key) => {
  const server = await scriptedServer(drop, answer(200))
  const headers = { 'idempotency-key': line }
  const response = await createFetch(quick)(new Request(server.url, { method: 'POST', headers }))
  expect(server.keys()).toEqual([line, line])
  expect(keyOf(response)).toBe(key)
})

test('keys are quoted on request, as in draft-07 section 2.1', async () => {
  const server = await scriptedServer(answer(200))
  const fetch = createFetch({ keyFormat: 'quoted', makeKey: () => 'a "b" \\ c, d' })
  expect(keyOf(await fetch(server.url, { method: 'POST' }))).toBe('a "b" \\ c, d')
  expect(server.keys()).toEqual(['"a \\"b\\" \\\\ c, d"'])
})

test('the header is an option', async () => {
  const server = await scriptedServer(answer(200))
  const fetch = createFetch({ header: 'PayPal-Request-Id', makeKey: () => 'k1' })
  await fetch(server.url, { method: 'POST' })
  expect(server.seen[0]?.headers).toMatchObject({ 'paypal-request-id': 'k1' })
  expect(server.keys()).toEqual([undefined])
})

test.each([
  ['empty', ''],
  ['too long', 'x'.repeat(256)],
  ['not ASCII', 'schlüssel'],
  ['with a line break', 'a\nb'],
  ['with a comma', 'a,b'],
  ['with a space before it', ' a'],
  ['with a leading quote', '"a'],
  ['not a string', 7 as unknown as string],
])('a key that is %s is refused before anything is sent', async (_, idempotencyKey) => {
  const server = await scriptedServer(answer(200))
  const call = createFetch()(server.url, { method: 'POST', idempotencyKey })
  await expect(call).rejects.toBeInstanceOf(OptionsError)
  expect(server.seen.length).toBe(0)
})

// A bug: it was stored first, so the same call found it there for a day after the app was mended.
test('a key of makeKey that is refused is not stored', async () => {
  const server = await scriptedServer(answer(200))
  const storage = memory()
  const made = (makeKey: () => string) => page(storage, { makeKey })(server.url, order)
  await expect(made(() => 'a,b')).rejects.toBeInstanceOf(OptionsError)
  expect((await made(() => 'a')).status).toBe(200)
  expect(server.keys()).toEqual(['a'])
})

test('a key of 255 characters is sent', async () => {
  const server = await scriptedServer(answer(200))
  const idempotencyKey = 'x'.repeat(255)
  await createFetch()(server.url, { method: 'POST', idempotencyKey })
  expect(server.keys()).toEqual([idempotencyKey])
})

test('two keys for one call are refused', async () => {
  const headers = { 'idempotency-key': 'a' }
  const call = createFetch()('http://127.0.0.1:1/', {
    method: 'POST',
    headers,
    idempotencyKey: 'b',
  })
  await expect(call).rejects.toBeInstanceOf(OptionsError)
})

test('a page without randomUUID gets UUIDs too', async () => {
  const server = await scriptedServer(answer(200))
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) })
  try {
    const fetch = createFetch()
    for (let call = 0; call < 50; call++) await fetch(server.url, { method: 'POST' })
  } finally {
    vi.unstubAllGlobals()
  }
  expect(new Set(server.keys()).size).toBe(50)
  for (const key of server.keys()) expect(key).toMatch(uuid)
})
