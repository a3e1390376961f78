import type { DeadLetterSource, Redrive, Redrives } from '@oncekey/core'
import { deadLetters } from '@oncekey/outbox'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('a redrive that does not get on because it fails is given up, and names its id', async () => {
  const carry = () => Promise.reject(new Error('permission denied'))
  const running = { matched: 1, state: 'running' } as Redrive
  const redrives = {
    start: async () => '7',
    carry,
    get: async () => running,
    portions: async () => ({ items: [], next: undefined, last: undefined }),
  } as unknown as Redrives
  const source = { name: 'consumers', redrives } as unknown as DeadLetterSource
  let thrown: unknown
  deadLetters(source)
    .redrive({ origin: 'email' })
    .catch((error) => {
      thrown = error
    })
  await vi.advanceTimersByTimeAsync(29_000)
  expect(thrown).toBeUndefined()
  await vi.advanceTimersByTimeAsync(2_000)
  expect(thrown).toMatchObject({
    code: 'store-unavailable',
    message: expect.stringMatching(/^Redrive 7 is on record.*permission denied/),
  })
})

test('a list whose limit is undefined has the default one', async () => {
  const pages: unknown[] = []
  const list = async (_: unknown, page: unknown) => {
    pages.push(page)
    return { items: [], next: undefined }
  }
  const source = { name: 'consumers', list, listRetrying: list } as unknown as DeadLetterSource
  const page = { limit: undefined } as unknown as { limit: number }
  await deadLetters(source).list({}, page)
  await deadLetters(source).retrying({}, page)
  expect(pages).toEqual([{ limit: 100 }, { limit: 100 }])
})
