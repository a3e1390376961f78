import { isReplayed, keyOf } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { memory, order, page } from './pending-page.ts'
import { answer, cut, drop, problem, type Step, scriptedServer } from './scripted-server.ts'

const parts =
  (
    headers: Record<string, string | string[]>,
    end: (response: Parameters<Step>[0]) => void,
  ): Step =>
  (response) => {
    response.writeHead(201, headers)
    response.write('one ', () => end(response))
  }
const whole = (response: Parameters<Step>[0]) => void response.end('two')
const broken = (response: Parameters<Step>[0]) => void response.socket?.destroy()

const streams = [
  ['that the call asked for', { response: 'stream' }, {}, {}],
  ['of events', {}, { 'content-type': 'text/event-stream' }, {}],
  ['over the limit', {}, {}, { maxResponseBytes: 1 }],
] as const

// A bug: the head of the response settled the key, and a body that was cut could not be asked for.
test.each(streams)(
  'a stream %s settles its key once it has been read',
  async (_, init, has, is) => {
    const server = await scriptedServer(parts(has, whole))
    const storage = memory()
    const response = await page(storage, is)(server.url, { ...order, ...init })
    expect(storage.items.size).toBe(1)
    expect(await response.text()).toBe('one two')
    await vi.waitFor(() => expect(storage.items.size).toBe(0))
  },
)

test.each(streams)('a stream %s that is cut keeps its key', async (_, init, has, is) => {
  const server = await scriptedServer(parts(has, broken), answer(201, 'all'))
  const storage = memory()
  const read = async () => {
    const response = await page(storage, is)(server.url, { ...order, ...init })
    return response.text()
  }
  await expect(read()).rejects.toBeInstanceOf(TypeError)
  expect(storage.items.size).toBe(1)
  expect(await read()).toBe('all')
  expect(new Set(server.keys()).size).toBe(1)
  await vi.waitFor(() => expect(storage.items.size).toBe(0))
})

const streamed = { ...order, response: 'stream' } as const

test('a stream that is cancelled or not read keeps its key', async () => {
  const server = await scriptedServer(parts({}, () => {}))
  const storage = memory()
  const fetch = page(storage)
  await (await fetch(server.url, streamed)).body?.cancel()
  const unread = await fetch(server.url, streamed)
  expect(storage.items.size).toBe(1)
  expect(new Set(server.keys()).size).toBe(1)
  expect(keyOf(unread)).toBe(server.keys()[0])
})

test('a stream with a status that settles nothing keeps its key when it has been read', async () => {
  const server = await scriptedServer(answer(404, 'x'.repeat(2000)))
  const storage = memory()
  const lost = await scriptedServer(drop, answer(404, 'x'.repeat(2000)))
  const fetch = page(storage, { maxResponseBytes: 1000 })
  await fetch(lost.url, order).catch(() => {})
  await (await fetch(lost.url, order)).text()
  expect(storage.items.size).toBe(1)
  await (await fetch(server.url, order)).text()
  await vi.waitFor(() => expect(storage.items.size).toBe(1))
})

test('a response whose end is waited for equals that of fetch', async () => {
  const headers = { 'set-cookie': ['a=1', 'b=2'], 'x-idempotency-replayed': 'true' }
  const server = await scriptedServer(
    answer(307, '', { location: '/there' }),
    parts(headers, whole),
  )
  const response = await page(memory())(`${server.url}/here`, streamed)
  for (const each of [response, response.clone(), response.clone().clone()]) {
    expect(each).toBeInstanceOf(Response)
    expect(each.url).toBe(`${server.url}/there`)
    expect(each.redirected).toBe(true)
    expect(each.type).toBe('basic')
    expect([each.status, each.statusText, each.ok]).toEqual([201, 'Created', true])
    expect(each.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(isReplayed(each)).toBe(true)
    expect(await each.text()).toBe('one two')
  }
  expect(keyOf(response)).toBe(server.keys()[0])
})

test('a signal ends a body whose end is waited for, and the key is kept', async () => {
  const server = await scriptedServer(parts({}, () => {}))
  const controller = new AbortController()
  const storage = memory()
  const response = await page(storage)(server.url, { ...streamed, signal: controller.signal })
  const text = response.text()
  controller.abort('enough')
  await expect(text).rejects.toBe('enough')
  expect(storage.items.size).toBe(1)
})

test('a stream is read no faster than its reader does', async () => {
  let sent = 0
  const endless: typeof fetch = async () =>
    new Response(
      new ReadableStream(
        {
          pull(controller) {
            sent += 1
            controller.enqueue(new Uint8Array(10))
          },
        },
        { highWaterMark: 0 },
      ),
    )
  const response = await page(memory(), { fetch: endless })('http://127.0.0.1:1/', streamed)
  const reader = response.body?.getReader()
  for (let read = 0; read < 3; read += 1) await reader?.read()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(sent).toBe(3)
  await reader?.cancel()
})

test('without an operation a stream is handed over as fetch gave it', async () => {
  const server = await scriptedServer(cut)
  const given: Response[] = []
  const watched: typeof fetch = async (...call) => {
    const response = await fetch(...call)
    given.push(response)
    return response
  }
  const { operation: _, ...plain } = streamed
  expect(await page(memory(), { fetch: watched })(server.url, plain)).toBe(given[0])
})

// A bug: a problem over the limit was not read, so an outcome that is unknown was a conflict like
// any other and settled its key, and what cannot succeed was sent again.
test.each([
  ['outcome-unknown', 409],
  ['response-too-large', 500],
])('a problem is read however low `maxResponseBytes` is: %s', async (code, status) => {
  const server = await scriptedServer(problem(status, code, 'never'))
  const storage = memory()
  const fetch = page(storage, { maxResponseBytes: 1, maxAttempts: 3 })
  expect(await (await fetch(server.url, order)).json()).toMatchObject({ code })
  expect(server.seen.length).toBe(1)
  expect(storage.items.size).toBe(1)
})
