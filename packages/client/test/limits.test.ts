import { createFetch, RetryError } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { answer, cut, drop, scriptedServer, stall, stallInBody } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const post = { method: 'POST', body: 'x' }

test.each([
  ['before its status', stall],
  ['within its body', stallInBody],
])('an attempt that stalls %s is given up and tried again', async (_, step) => {
  const server = await scriptedServer(step, answer(201, 'done'))
  const onRetry = vi.fn()
  const fetch = createFetch({ ...quick, attemptTimeoutMs: 300, onRetry })
  expect(await (await fetch(server.url, post)).text()).toBe('done')
  expect(onRetry.mock.calls[0]).toMatchObject([{ reason: 'timeout', attempt: 1 }])
  expect(new Set(server.keys()).size).toBe(1)
})

test('the deadline ends an attempt that stalls', async () => {
  const server = await scriptedServer(stall)
  const fetch = createFetch({ ...quick, deadlineMs: 300, makeKey: () => 'k1' })
  await expect(fetch(server.url, post)).rejects.toMatchObject({
    name: 'RetryError',
    code: 'deadline-exceeded',
    attempts: 1,
    key: 'k1',
    cause: { name: 'TimeoutError' },
  })
})

test('the deadline ends a series of lost attempts, and the cause is the last loss', async () => {
  const server = await scriptedServer(drop)
  const fetch = createFetch({ baseDelayMs: 10, maxAttempts: 1000, deadlineMs: 500 })
  const error = await fetch(server.url, post).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(RetryError)
  expect(error).toMatchObject({ code: 'deadline-exceeded', cause: { name: 'TypeError' } })
  expect((error as RetryError).attempts).toBeGreaterThanOrEqual(server.seen.length)
})

test('a wait that would exceed the deadline does not start', async () => {
  const server = await scriptedServer(drop)
  const fetch = createFetch({
    baseDelayMs: 60_000,
    maxDelayMs: 60_000,
    deadlineMs: 50_000,
    random: () => 0.9,
  })
  await expect(fetch(server.url, post)).rejects.toMatchObject({
    code: 'deadline-exceeded',
    attempts: 1,
  })
})

test('the deadline ends the reading of a request body that never comes', async () => {
  const server = await scriptedServer(answer(201))
  const body = new ReadableStream()
  const call = createFetch({ deadlineMs: 30 })(server.url, { method: 'POST', body })
  await expect(call).rejects.toMatchObject({ code: 'deadline-exceeded', attempts: 0 })
  expect(server.seen.length).toBe(0)
})

const reason = new Error('the user left')

test('a signal that is aborted already ends the call before anything is sent', async () => {
  const server = await scriptedServer(answer(201))
  const storage = { getItem: vi.fn(), setItem: vi.fn(), removeItem: vi.fn() }
  const fetch = createFetch({ pending: { storage } })
  const signal = AbortSignal.abort(reason)
  await expect(fetch(server.url, { ...post, signal, operation: 'order' })).rejects.toBe(reason)
  expect(server.seen.length).toBe(0)
  expect(storage.getItem).not.toHaveBeenCalled()
})

test('a signal ends the reading of the request body, which is cancelled', async () => {
  const controller = new AbortController()
  const cancel = vi.fn()
  const body = new ReadableStream({ pull: () => controller.abort(reason), cancel })
  const call = createFetch()('http://127.0.0.1:1/', {
    method: 'POST',
    body,
    signal: controller.signal,
  })
  await expect(call).rejects.toBe(reason)
  expect(cancel).toHaveBeenCalledWith(reason)
})

test('a signal ends the waiting for a storage', async () => {
  const controller = new AbortController()
  const never = () => new Promise<never>(() => {})
  const storage = { getItem: never, setItem: never, removeItem: never }
  const call = createFetch({ pending: { storage } })('http://127.0.0.1:1/', {
    ...post,
    operation: 'order',
    signal: controller.signal,
  })
  setImmediate(() => controller.abort(reason))
  await expect(call).rejects.toBe(reason)
})

test.each([
  ['before its status', stall],
  ['within its body', stallInBody],
])('a signal ends an attempt %s, and there is no other', async (_, step) => {
  const server = await scriptedServer(step)
  const controller = new AbortController()
  const fetch = createFetch({ ...quick, maxAttempts: 1 })
  const call = fetch(server.url, { ...post, signal: controller.signal })
  vi.waitFor(() => expect(server.seen.length).toBe(1)).then(() => controller.abort(reason))
  await expect(call).rejects.toBe(reason)
  expect(server.seen.length).toBe(1)
})

test.each([
  ['before it begins', (abort: () => void) => abort()],
  ['while it lasts', (abort: () => void) => void setTimeout(abort, 10)],
])('a signal ends the wait between attempts, %s', async (_, onRetry) => {
  const server = await scriptedServer(answer(503, '', { 'retry-after': '50' }))
  const controller = new AbortController()
  const fetch = createFetch({ onRetry: () => onRetry(() => controller.abort(reason)) })
  const call = fetch(server.url, { ...post, signal: controller.signal })
  await expect(call).rejects.toBe(reason)
  expect(server.seen.length).toBe(1)
})

test("a Request's own signal applies, unless the call passes another or none", async () => {
  const server = await scriptedServer(answer(201))
  const fetch = createFetch(quick)
  const request = () => new Request(server.url, { ...post, signal: AbortSignal.abort(reason) })
  await expect(fetch(request())).rejects.toBe(reason)
  expect((await fetch(request(), { signal: null })).status).toBe(201)
})

test('an answer that has arrived is not lost to a signal aborted later', async () => {
  const server = await scriptedServer(answer(201, 'whole'))
  const controller = new AbortController()
  const response = await createFetch(quick)(server.url, { ...post, signal: controller.signal })
  controller.abort(reason)
  expect(await response.text()).toBe('whole')
})

test('a signal ends a body that is handed over as a stream', async () => {
  const server = await scriptedServer(stallInBody)
  const controller = new AbortController()
  const fetch = createFetch({ ...quick, deadlineMs: 2000 })
  const response = await fetch(server.url, {
    ...post,
    response: 'stream',
    signal: controller.signal,
  })
  const text = response.text()
  controller.abort(reason)
  await expect(text).rejects.toBe(reason)
})

test('the deadline does not end a body that is handed over as a stream', async () => {
  let finish = () => {}
  const server = await scriptedServer((response) => {
    response.writeHead(201, { 'content-length': '10' }).write('half.')
    finish = () => response.end('whole')
  })
  const fetch = createFetch({ deadlineMs: 1000, attemptTimeoutMs: 900, response: 'stream' })
  const response = await fetch(server.url, post)
  await new Promise((resolve) => setTimeout(resolve, 1050))
  finish()
  expect(await response.text()).toBe('half.whole')
})

test('a fetch that ignores its signal cannot block the call', async () => {
  const never = () => new Promise<never>(() => {})
  const fetch = createFetch({ ...quick, fetch: never, attemptTimeoutMs: 10, maxAttempts: 2 })
  await expect(fetch('http://127.0.0.1:1/', post)).rejects.toMatchObject({ attempts: 2 })
})

test('no listener remains on a signal that outlives its calls', async () => {
  const server = await scriptedServer(drop, cut, answer(201))
  const { signal } = new AbortController()
  const added = vi.spyOn(signal, 'addEventListener')
  const removed = vi.spyOn(signal, 'removeEventListener')
  await createFetch(quick)(server.url, { ...post, signal })
  expect(added).toHaveBeenCalledTimes(1)
  expect(removed.mock.calls).toEqual([added.mock.calls[0]?.slice(0, 2)])
})
