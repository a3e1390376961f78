import { createFetch, type FetchOptions, type RetryEvent } from '@oncekey/client'
import { expect, test } from 'vitest'
import { delayAfter } from '../src/delay.ts'
import { resolveOptions } from '../src/options.ts'
import { answer, drop, type Step, scriptedServer } from './scripted-server.ts'

const at = Date.UTC(2026, 0, 5, 12, 0, 0)

const forms: readonly (readonly [string, Record<string, string>, number | undefined])[] = [
  ['seconds', { 'retry-after': '7' }, 7000],
  ['seconds with a fraction', { 'retry-after': '0.5' }, 500],
  ['zero', { 'retry-after': '0' }, 0],
  ['a date', { 'retry-after': 'Mon, 05 Jan 2026 12:00:09 GMT' }, 9000],
  ['a date in the past', { 'retry-after': 'Mon, 05 Jan 2026 11:00:00 GMT' }, 0],
  ['a date of the asctime form', { 'retry-after': 'Mon Jan  5 12:00:09 2026' }, 9000],
  ['a date of the RFC 850 form', { 'retry-after': 'Monday, 05-Jan-26 12:00:09 GMT' }, 9000],
  [
    "a date by the server's clock, which runs ahead of ours",
    { 'retry-after': 'Mon, 05 Jan 2026 12:30:02 GMT', date: 'Mon, 05 Jan 2026 12:30:00 GMT' },
    2000,
  ],
  [
    'milliseconds, as some vendors send them',
    { 'retry-after-ms': '1500', 'retry-after': '2' },
    1500,
  ],
  ['milliseconds that are none', { 'retry-after-ms': 'x', 'retry-after': '2' }, 2000],
  ['nothing', {}, 0],
  ['a negative number', { 'retry-after': '-5' }, 0],
  ['words', { 'retry-after': 'soon' }, 0],
  ['a number with a unit', { 'retry-after': '5 minutes' }, 0],
  ['a day that is no date', { 'retry-after': 'Monday' }, 0],
]

test.each(forms)('Retry-After: %s', async (_, headers, delayMs) => {
  const step: Step = (response) => {
    response.sendDate = false
    answer(503, '', headers)(response)
  }
  const [first] = await waits([step], 1, { now: () => at, random: () => 0 })
  expect(first).toBe(delayMs)
})

test('is asked for also after more attempts than a number can double', async () => {
  const outcome = answered(409, { 'retry-after': '7' })
  const options = { ...resolveOptions({ baseDelayMs: 0 }), random: () => 0.5 }
  expect(delayAfter(outcome, 2_000, options)).toBe(7000)
})

test('adds the jitter to Retry-After, never below it', async () => {
  const step = answer(503, '', { 'retry-after': '7' })
  const options = { baseDelayMs: 100, random: () => 0.5 }
  expect(await waits([step], 1, options)).toEqual([7050])
})

test('the ceiling of the wait doubles up to its cap, and the wait is anywhere below', async () => {
  const options = { baseDelayMs: 1, maxDelayMs: 20, maxAttempts: 10 }
  const ceilings = [1, 2, 4, 8, 16, 20, 20]
  expect(await waits([drop], 7, { ...options, random: () => 1 })).toEqual(ceilings)
  expect(await waits([drop], 7, { ...options, random: () => 0.5 })).toEqual(
    ceilings.map((ceiling) => Math.round(ceiling / 2)),
  )
  expect(await waits([drop], 3, { ...options, random: () => 0 })).toEqual([0, 0, 0])
})

test('waits before the next attempt', async () => {
  const server = await scriptedServer(answer(503, '', { 'retry-after': '1' }), answer(201))
  const before = performance.now()
  await createFetch()(server.url, { method: 'POST' })
  // Timers may fire a fraction of a millisecond early.
  expect(performance.now() - before).toBeGreaterThanOrEqual(999)
})

test.each([
  ['longer than maxRetryAfterMs', { maxRetryAfterMs: 59_000 }],
  ['beyond the deadline', { deadlineMs: 59_000 }],
])('a Retry-After %s makes that answer the last, at once', async (_, options) => {
  const server = await scriptedServer(answer(429, 'later', { 'retry-after': '60' }))
  const response = await createFetch(options)(server.url, { method: 'POST' })
  expect(response.status).toBe(429)
  expect(await response.text()).toBe('later')
  expect(server.seen.length).toBe(1)
})

/** The first `count` waits as `onRetry` receives them; the last one is not waited for. */
async function waits(steps: Step[], count: number, options: FetchOptions): Promise<number[]> {
  const server = await scriptedServer(...steps)
  const enough = new Error('enough')
  const delays: number[] = []
  function onRetry({ delayMs }: RetryEvent) {
    delays.push(delayMs)
    if (delays.length === count) throw enough
  }
  const call = createFetch({ ...options, onRetry })(server.url, { method: 'POST' })
  await expect(call).rejects.toBe(enough)
  return delays
}

function answered(status: number, headers: Record<string, string>) {
  const response = new Response('', { status, headers })
  return { kind: 'answer', response, problem: undefined, streamed: false } as const
}
