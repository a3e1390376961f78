import { createFetch } from '@oncekey/client'
import { expect, test } from 'vitest'
import { answer, drop, type Seen, scriptedServer } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)

function form(): FormData {
  const data = new FormData()
  data.set('name', 'Ünïcode')
  data.set('file', new File([bytes], 'bytes.bin'))
  return data
}

function stream(...chunks: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift()
      if (chunk === undefined) return controller.close()
      controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk)
    },
  })
}

const bodies: readonly (readonly [string, () => NonNullable<RequestInit['body']>])[] = [
  ['a string', () => 'größe'],
  ['an empty string', () => ''],
  ['bytes', () => bytes],
  ['an ArrayBuffer', () => bytes.slice().buffer],
  ['a Blob with a type', () => new Blob([bytes], { type: 'image/x-made-up' })],
  ['URLSearchParams', () => new URLSearchParams({ a: '1 & 2' })],
]

test.each(bodies)('%s is sent as fetch sends it, at each attempt', async (_, body) => {
  const server = await scriptedServer(answer(200), drop, answer(200))
  await globalThis.fetch(server.url, { method: 'POST', body: body() })
  await createFetch(quick)(server.url, { method: 'POST', body: body() })

  const [plain, first, second] = server.seen.map(onTheWire)
  expect(first).toEqual(plain)
  expect(second).toEqual(plain)
})

test('no body is sent as none', async () => {
  const server = await scriptedServer(answer(200), answer(200))
  await globalThis.fetch(server.url, { method: 'POST' })
  await createFetch(quick)(server.url, { method: 'POST' })
  expect(onTheWire(server.seen[1])).toEqual(onTheWire(server.seen[0]))
})

test('a form has one boundary for all attempts', async () => {
  const server = await scriptedServer(drop, answer(200))
  await createFetch(quick)(server.url, { method: 'POST', body: form() })
  const [first, second] = server.seen.map(onTheWire)
  expect(first?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
  expect(second).toEqual(first)
})

test.each(bodies)('%s follows a 307 with all its bytes, at each attempt', async (_, body) => {
  const there = answer(307, '', { location: '/there' })
  const server = await scriptedServer(there, drop, there, answer(200))
  const response = await createFetch(quick)(server.url, { method: 'POST', body: body() })
  expect(response.url).toBe(`${server.url}/there`)
  const sent = server.seen.map((seen) => seen.body.toString('base64'))
  expect(new Set(sent).size).toBe(1)
  expect(sent.length).toBe(4)
})

test('a stream is read once and sent completely at each attempt', async () => {
  const server = await scriptedServer(drop, drop, answer(200))
  await createFetch(quick)(server.url, {
    method: 'POST',
    body: stream('one ', bytes, ' three'),
    headers: { 'content-type': 'application/x-parts' },
  })
  const expected = Buffer.concat([Buffer.from('one '), bytes, Buffer.from(' three')])
  expect(server.seen.map(({ body }) => body.equals(expected))).toEqual([true, true, true])
  expect(server.seen[2]?.headers).toMatchObject({
    'content-length': String(expected.length),
    'content-type': 'application/x-parts',
  })
})

test('a stream over the limit is refused before the first attempt, and cancelled', async () => {
  const server = await scriptedServer(answer(200))
  let cancelled = false
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(bytes),
    cancel: () => {
      cancelled = true
    },
  })
  const call = createFetch({ maxRequestBytes: 1000 })(server.url, { method: 'POST', body: endless })
  await expect(call).rejects.toMatchObject({
    name: 'RetryError',
    code: 'request-too-large',
    attempts: 0,
    message: expect.stringContaining('raise maxRequestBytes'),
  })
  expect(cancelled).toBe(true)
  expect(server.seen.length).toBe(0)
})

test('a stream of exactly the limit is sent', async () => {
  const server = await scriptedServer(answer(200))
  await createFetch({ maxRequestBytes: 256 })(server.url, { method: 'POST', body: stream(bytes) })
  expect(server.seen[0]?.body.length).toBe(256)
})

test('a body in memory has no limit', async () => {
  const server = await scriptedServer(answer(200))
  const body = 'x'.repeat(1001)
  await createFetch({ maxRequestBytes: 1000 })(server.url, { method: 'POST', body })
  expect(server.seen[0]?.body.length).toBe(1001)
})

test("a stream's own error ends the call before the first attempt", async () => {
  const server = await scriptedServer(answer(200))
  const broken = new Error('the disk failed')
  const body = new ReadableStream({
    pull() {
      throw broken
    },
  })
  await expect(createFetch(quick)(server.url, { method: 'POST', body })).rejects.toBe(broken)
  expect(server.seen.length).toBe(0)
})

test('a Request keeps its method, headers and body, and init overrides them', async () => {
  const server = await scriptedServer(drop, answer(200), answer(200))
  const request = () =>
    new Request(`${server.url}/orders?a=1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-trace': '7' },
      body: '{"item":"violin"}',
    })
  const fetch = createFetch(quick)
  await fetch(request())
  await fetch(request(), { method: 'PATCH', headers: { 'x-own': '8' }, body: 'other' })

  for (const seen of server.seen.slice(0, 2)) {
    expect(seen).toMatchObject({ method: 'POST', url: '/orders?a=1' })
    expect(seen.headers).toMatchObject({ 'content-type': 'application/json', 'x-trace': '7' })
    expect(seen.body.toString()).toBe('{"item":"violin"}')
  }
  expect(server.seen[2]).toMatchObject({ method: 'PATCH', url: '/orders?a=1' })
  expect(server.seen[2]?.headers).toMatchObject({ 'x-own': '8' })
  expect(server.seen[2]?.headers).not.toHaveProperty('x-trace')
  expect(server.seen[2]?.body.toString()).toBe('other')
})

test("a Request's redirect mode is kept", async () => {
  const server = await scriptedServer(answer(307, '', { location: '/elsewhere' }))
  const request = new Request(server.url, { method: 'POST', redirect: 'manual' })
  expect((await createFetch(quick)(request)).status).toBe(307)
})

test('a Request whose body was read already is refused like by fetch', async () => {
  const request = new Request('http://127.0.0.1:1/', { method: 'POST', body: 'x' })
  await request.text()
  await expect(createFetch(quick)(request)).rejects.toBeInstanceOf(TypeError)
})

// A bug: its stream was no longer locked, and what was left of it was sent as the body.
test.each([
  ['in part', 1],
  ['to its end', 3],
])('a Request whose body was read %s is refused before anything is sent', async (_, reads) => {
  const server = await scriptedServer(answer(201))
  const request = () =>
    new Request(server.url, { method: 'POST', body: stream('one', 'two'), duplex: 'half' } as never)
  const used = request()
  const reader = used.body?.getReader()
  for (let read = 0; read < reads; read += 1) await reader?.read()
  reader?.releaseLock()
  await expect(createFetch(quick)(used)).rejects.toBeInstanceOf(TypeError)
  expect(server.seen.length).toBe(0)
  expect((await createFetch(quick)(used, { body: 'another' })).status).toBe(201)
  expect(server.seen[0]?.body.toString()).toBe('another')
})

test.each([
  ['a URL that is none', 'nowhere', {}],
  ['a header that is none', 'http://127.0.0.1:1/', { headers: { 'x y': '1' } }],
])('%s is refused at once, not retried', async (_, url, init) => {
  let sent = 0
  const send: typeof fetch = (input, init) => {
    sent += 1
    return globalThis.fetch(input, init)
  }
  const call = createFetch({ ...quick, fetch: send })(url, { method: 'POST', ...init })
  await expect(call).rejects.toBeInstanceOf(TypeError)
  expect(sent).toBe(0)
})

test('no-cors, which would silently drop the key, is refused', async () => {
  const call = createFetch(quick)('http://127.0.0.1:1/', { method: 'POST', mode: 'no-cors' })
  await expect(call).rejects.toMatchObject({
    code: 'options-invalid',
    message: expect.stringContaining("mode: 'cors'"),
  })
})

test('runtime-specific options reach fetch at each attempt', async () => {
  const inits: unknown[] = []
  const send = async (_: unknown, init?: RequestInit) => {
    inits.push(init)
    return new Response(null, { status: inits.length === 1 ? 503 : 200 })
  }
  const fetch = createFetch({ ...quick, fetch: send as typeof globalThis.fetch })
  const init = { method: 'POST', next: { tags: ['orders'] }, credentials: 'include' } as const
  await fetch('http://127.0.0.1:1/', init)
  expect(inits).toMatchObject([init, init])
})

// A bug: the attempts were sent by the URL, so past the proxy or without the client certificate.
test.each([
  ['a body', 'one'],
  ['an empty body', ''],
  ['no body', undefined],
])('a Request with %s is sent by its own dispatcher, at each attempt', async (_, body) => {
  const server = await scriptedServer(drop, answer(503), answer(200))
  const shared = (globalThis as { [key: symbol]: { dispatch(...given: unknown[]): boolean } })[
    Symbol.for('undici.globalDispatcher.1')
  ]
  let dispatched = 0
  const dispatcher = {
    dispatch(...given: unknown[]) {
      dispatched += 1
      return shared?.dispatch(...given)
    },
  }
  const init = { method: 'POST', dispatcher, ...(body !== undefined && { body }) }
  const request = new Request(server.url, init as RequestInit)
  expect((await createFetch(quick)(request, { headers: { 'x-own': '8' } })).status).toBe(200)
  expect(dispatched).toBe(3)
  const sent = server.seen.map(({ headers, body }) => [headers['x-own'], body.toString()])
  expect(sent).toEqual(Array.from({ length: 3 }, () => ['8', body ?? '']))
})

function onTheWire(seen: Seen | undefined) {
  if (seen === undefined) throw new Error('nothing was seen')
  const { 'idempotency-key': _, connection: __, ...headers } = seen.headers
  return { ...seen, key: undefined, headers, body: seen.body.toString('base64') }
}

test.each([
  ['text', 'text'],
  ['numbers of two bytes', Uint16Array.of(1, 2)],
])('a stream that holds %s is refused before anything is sent', async (_, chunk) => {
  const server = await scriptedServer(answer(201))
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(chunk)
      controller.close()
    },
  })
  const init = { method: 'POST', body, duplex: 'half' } as const
  const call = createFetch()(server.url, init)
  await expect(call).rejects.toThrow(
    new TypeError('A stream that is a body must hold Uint8Arrays.'),
  )
  expect(server.seen.length).toBe(0)
})
