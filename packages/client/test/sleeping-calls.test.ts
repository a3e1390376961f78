import { createFetch, RetryError } from '@oncekey/client'
import { expect, test } from 'vitest'
import { memory, order, page } from './pending-page.ts'
import { answer, drop, scriptedServer } from './scripted-server.ts'

const quick = { baseDelayMs: 20, maxDelayMs: 20, random: () => 0.99 }
const post = { method: 'POST', body: 'x' }
const HOUR_MS = 3_600_000

/** A wall clock, and a computer that sleeps: its timers and `performance.now()` stand still. */
function computer() {
  let sleptMs = 0
  return {
    now: () => Date.now() + sleptMs,
    sleep(ms: number) {
      sleptMs += ms
    },
  }
}

// A bug: the deadline was that of timers, which stand still. A payment that had lost its answer on
// Friday was sent again on Monday, with a key that most servers forget after a day.
test.each([
  ['was lost', drop],
  ['was answered 503', answer(503)],
])('a call whose computer sleeps after an attempt that %s sends nothing more', async (_, step) => {
  const server = await scriptedServer(step, answer(201))
  const { now, sleep } = computer()
  const fetch = createFetch({ ...quick, now, onRetry: () => sleep(72 * HOUR_MS) })
  const error = await fetch(server.url, post).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(RetryError)
  expect(error).toMatchObject({ code: 'deadline-exceeded', attempts: 1, key: server.keys()[0] })
  expect(server.seen.length).toBe(1)
})

// A bug: after a stop, timers fire in the order in which they were due. The wait ended first, and
// the attempt was on its way when the deadline ended the call.
test('a call whose process stood still beyond the deadline sends nothing more', async () => {
  const server = await scriptedServer(answer(503), answer(201))
  const standStill = () => {
    const until = performance.now() + 500
    while (performance.now() < until);
  }
  const fetch = createFetch({ ...quick, deadlineMs: 300, onRetry: () => setTimeout(standStill, 1) })
  await expect(fetch(server.url, post)).rejects.toMatchObject({ code: 'deadline-exceeded' })
  // Whatever was sent before has come when this is answered.
  await createFetch()(server.url, { ...post, idempotencyKey: 'the last' })
  expect(server.keys().slice(1)).toEqual(['the last'])
})

test('a call whose computer sleeps before its first attempt sends nothing', async () => {
  const server = await scriptedServer(answer(201))
  const { now, sleep } = computer()
  const items = memory()
  const storage = {
    ...items,
    setItem(name: string, value: string) {
      sleep(72 * HOUR_MS)
      items.setItem(name, value)
    },
  }
  const call = page(storage, { now })(server.url, order)
  await expect(call).rejects.toMatchObject({ code: 'deadline-exceeded', attempts: 0 })
  expect(server.seen.length).toBe(0)
})

test('a sleep that is shorter than the deadline changes nothing', async () => {
  const server = await scriptedServer(drop, answer(201))
  const { now, sleep } = computer()
  const fetch = createFetch({ ...quick, now, onRetry: () => sleep(60_000) })
  expect((await fetch(server.url, post)).status).toBe(201)
})

// A bug: the age of a pending key was looked at once, when its call began.
test('a call whose deadline is later than `expiresAfterMs` stops sending when its key is too old', async () => {
  const server = await scriptedServer(drop)
  const { now, sleep } = computer()
  const fetch = page(memory(), {
    now,
    maxAttempts: 10,
    deadlineMs: 100 * HOUR_MS,
    onRetry: () => sleep(22 * HOUR_MS),
  })
  const call = fetch(server.url, order)
  await expect(call).rejects.toMatchObject({ code: 'deadline-exceeded', attempts: 2 })
  await expect(fetch(server.url, order)).rejects.toMatchObject({ code: 'key-expired' })
  expect(server.seen.length).toBe(2)
})
