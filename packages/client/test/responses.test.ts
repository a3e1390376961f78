import { createFetch, isReplayed, keyOf } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { answer, cut, drop, problem, scriptedServer } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const post = { method: 'POST', body: 'x' }

test('a response equals that of fetch: url, redirected, type, headers, bytes', async () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 100_000 }, (_, index) => index % 251))
  const server = await scriptedServer(drop, answer(307, '', { location: '/there' }), (response) => {
    response.writeHead(200, [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-own', '7'],
    ])
    response.end(bytes)
  })
  const response = await createFetch(quick)(`${server.url}/here`, post)

  expect(response).toBeInstanceOf(Response)
  expect(response.url).toBe(`${server.url}/there`)
  expect(response.redirected).toBe(true)
  expect(response.type).toBe('basic')
  expect(response.headers.get('x-own')).toBe('7')
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(response.bodyUsed).toBe(false)
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
})

test('a large response arrives completely although nobody reads while it is buffered', async () => {
  const body = 'x'.repeat(5 * 1024 * 1024)
  const server = await scriptedServer(answer(200, body))
  const response = await createFetch(quick)(server.url, post)
  expect(await response.text()).toBe(body)
})

test.each([204, 205])('a response without a body, %i, is complete', async (status) => {
  const server = await scriptedServer(answer(status))
  const response = await createFetch(quick)(server.url, post)
  expect(response.status).toBe(status)
  expect(await response.text()).toBe('')
})

test('a chunked body that is cut is retried', async () => {
  const server = await scriptedServer(
    (response) => {
      response.writeHead(201)
      response.write('half.', () => response.socket?.destroy())
    },
    answer(201, 'whole'),
  )
  expect(await (await createFetch(quick)(server.url, post)).text()).toBe('whole')
})

test('a streamed response is returned before it ends, and its reader sees a cut', async () => {
  const server = await scriptedServer(drop, cut)
  const fetch = createFetch({ ...quick, response: 'stream' })
  const response = await fetch(server.url, post)
  expect(response.status).toBe(201)
  await expect(response.text()).rejects.toBeInstanceOf(TypeError)
  expect(server.seen.length).toBe(2)
})

test('one call can ask for a stream, and one for a buffered response', async () => {
  const server = await scriptedServer(cut, cut, answer(201, 'whole'))
  const streamed = await createFetch(quick)(server.url, { ...post, response: 'stream' })
  await expect(streamed.text()).rejects.toBeInstanceOf(TypeError)
  const fetch = createFetch({ ...quick, response: 'stream' })
  expect(await (await fetch(server.url, { ...post, response: 'buffer' })).text()).toBe('whole')
})

test('refusals are read completely even if responses are streamed', async () => {
  const server = await scriptedServer(problem(409, 'in-progress', 'same-key'), answer(201))
  const response = await createFetch({ ...quick, response: 'stream' })(server.url, post)
  expect(response.status).toBe(201)
})

test('server-sent events are returned as they arrive', async () => {
  let end = () => {}
  const server = await scriptedServer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    end = () => response.end('data: 2\n\n')
  })
  const response = await createFetch(quick)(server.url, post)
  end()
  expect(await response.text()).toBe('data: 1\n\ndata: 2\n\n')
})

test.each([
  ['announced', true],
  ['not announced', false],
])('a response over the limit, %s, is handed over as a stream', async (_, announced) => {
  let end = () => {}
  const server = await scriptedServer((response) => {
    response.writeHead(200, announced ? { 'content-length': '2000' } : {})
    response.write('x'.repeat(1500))
    end = () => response.end('y'.repeat(500))
  })
  const response = await createFetch({ maxResponseBytes: 1000 })(server.url, post)
  end()
  expect(await response.text()).toBe('x'.repeat(1500) + 'y'.repeat(500))
})

test('a 503 too large to buffer is still retried', async () => {
  const server = await scriptedServer(answer(503, 'x'.repeat(100_000)), answer(201))
  const response = await createFetch({ ...quick, maxResponseBytes: 10 })(server.url, post)
  expect(response.status).toBe(201)
})

test.each([
  [{ 'x-idempotency-replayed': 'true' }, true],
  [{ 'idempotent-replayed': 'true' }, true],
  [{ 'idempotent-replayed': 'TRUE' }, true],
  [{ 'idempotent-replayed': 'false' }, false],
  [{}, false],
])('isReplayed reads %j', async (headers, replayed) => {
  const server = await scriptedServer(answer(200, '', headers as Record<string, string>))
  expect(isReplayed(await createFetch()(server.url, post))).toBe(replayed)
})

test('keyOf is undefined for responses without a key', async () => {
  const server = await scriptedServer(answer(200))
  expect(keyOf(await createFetch()(server.url))).toBeUndefined()
  expect(keyOf(new Response())).toBeUndefined()
})

test('the global fetch is looked up at each attempt and called as a plain function', async () => {
  const fetch = createFetch(quick)
  const replaced = vi.fn(async function (this: unknown) {
    expect(this === undefined || this === globalThis).toBe(true)
    return new Response('replaced')
  })
  vi.stubGlobal('fetch', replaced)
  try {
    expect(await (await fetch('http://127.0.0.1:1/', post)).text()).toBe('replaced')
  } finally {
    vi.unstubAllGlobals()
  }
})
