import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { destinations } from '../../src/publishers/destinations.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const MINUTE_MS = 60_000

// A bug: all that waited for a destination was claimed and rewritten once a minute, so the work
// grew with the outage until a relay could do no other.
test('what is put off comes back the more rarely, the longer its destination has failed', () => {
  const known = destinations({ name: 'nats', backoff: () => 5_000 })
  const fail = () => known.failed('gone', new Error('no stream'), 0, 'missing')
  const longestMs = () =>
    Math.max(...Array.from({ length: 20_000 }, () => known.putOff('gone', undefined).delayMs))
  known.succeeded('healthy')
  fail()
  expect(longestMs()).toBeCloseTo(MINUTE_MS)
  vi.advanceTimersByTime(30 * MINUTE_MS)
  fail()
  expect(longestMs()).toBeCloseTo(3 * MINUTE_MS)
  known.succeeded('gone')
  fail()
  expect(longestMs()).toBeCloseTo(MINUTE_MS)
})

test('what is put off for others comes back within a minute, however old the process is', () => {
  const known = destinations({ name: 'nats', backoff: () => 5_000 })
  vi.advanceTimersByTime(600 * MINUTE_MS)
  for (let n = 0; n < 10_000; n += 1) {
    expect(known.putOff('fine', undefined).delayMs).toBeLessThanOrEqual(MINUTE_MS)
  }
})
