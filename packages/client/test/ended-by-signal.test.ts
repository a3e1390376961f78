import { createFetch, keyOf, RetryError } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { drop, scriptedServer, stall } from './scripted-server.ts'

const quick = { baseDelayMs: 1, maxDelayMs: 2 }
const post = { method: 'POST', body: 'x' }
const caught = (call: Promise<Response>) => call.catch((error: unknown) => error)

/** Calls that wait for an answer, and what they are rejected with. */
async function waiting(...inits: object[]) {
  const server = await scriptedServer(stall)
  const controller = new AbortController()
  const { signal } = controller
  const ends = inits.map((init) => caught(createFetch()(server.url, { ...post, ...init, signal })))
  await vi.waitFor(() => expect(server.seen.length).toBe(inits.length))
  return { server, controller, ends }
}

// A bug: the caller got the reason alone, and the next attempt had a new key.
test('keyOf tells the key of a call that its signal ended', async () => {
  const server = await scriptedServer(stall)
  const error = await caught(
    createFetch()(server.url, { ...post, signal: AbortSignal.timeout(300) }),
  )
  expect(error).toMatchObject({ name: 'TimeoutError' })
  expect(keyOf(error)).toEqual(expect.any(String))
  expect(keyOf(error)).toBe(server.keys()[0])
})

test('a reason that ended calls with different keys has none, so that none gets another’s', async () => {
  const reason = new Error('the user left')
  const { controller, ends } = await waiting({ idempotencyKey: 'a' }, { idempotencyKey: 'b' })
  controller.abort(reason)
  expect(await Promise.all(ends)).toEqual([reason, reason])
  expect(keyOf(reason)).toBeUndefined()
})

test('a reason that also ended a call before it was sent has no key', async () => {
  const reason = new Error('the user left')
  const { controller, ends } = await waiting({ idempotencyKey: 'a' })
  controller.abort(reason)
  await Promise.all(ends)
  expect(keyOf(reason)).toBe('a')
  const { signal } = controller
  await caught(createFetch()('http://127.0.0.1:1/', { ...post, signal, idempotencyKey: 'a' }))
  expect(keyOf(reason)).toBe('a')
  await caught(createFetch()('http://127.0.0.1:1/', { ...post, signal }))
  expect(keyOf(reason)).toBeUndefined()
})

test('a reason that is no object has no key', async () => {
  const { controller, ends } = await waiting({})
  controller.abort('enough')
  expect(await Promise.all(ends)).toEqual(['enough'])
  expect(keyOf('enough')).toBeUndefined()
})

test('keyOf tells the key of each error that ends a call after an attempt', async () => {
  const server = await scriptedServer(drop)
  const lost = await caught(createFetch({ ...quick, maxAttempts: 1 })(server.url, post))
  expect(lost).toBeInstanceOf(RetryError)
  expect(keyOf(lost)).toBe((lost as RetryError).key)

  const own = new Error('of onRetry')
  const onRetry = () => {
    throw own
  }
  expect(await caught(createFetch({ ...quick, onRetry })(server.url, post))).toBe(own)
  expect(keyOf(own)).toBe(server.keys()[1])
})

test('an error before anything was sent has no key', async () => {
  const error = await caught(createFetch()('nowhere', post))
  expect(error).toBeInstanceOf(TypeError)
  expect(keyOf(error)).toBeUndefined()
})
