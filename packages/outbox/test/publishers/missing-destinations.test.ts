import { PermanentError } from '@oncekey/outbox'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MissingDestinationError } from '../../src/publishers/missing-destination-error.ts'
import { missingDestinations } from '../../src/publishers/missing-destinations.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const MISSING_FOR_MS = 600_000
const HOUR_MS = 3_600_000

function watched(missingForMs = MISSING_FOR_MS) {
  const missing = missingDestinations(missingForMs)
  const isDead = async (to: string) =>
    await missing
      .watch(to, () => Promise.reject(new MissingDestinationError('none')))
      .catch((error) => error instanceof PermanentError)
  return { isDead, arrives: (to: string) => missing.watch(to, async () => {}) }
}

test('a missing destination is waited for, and then not until one event gets through', async () => {
  const { isDead, arrives } = watched()
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(MISSING_FOR_MS - 1)
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(1)
  expect(await isDead('orders')).toBe(true)
  vi.advanceTimersByTime(10 * MISSING_FOR_MS)
  expect(await isDead('orders')).toBe(true)
  await arrives('orders')
  expect(await isDead('orders')).toBe(false)
})

// A bug: the event that had missed the destination was sent by another process, so this one went on
// counting from that moment, and made a dead letter of the next event that missed it for a moment.
test('a destination that was missed for a moment, long ago, is waited for again', async () => {
  const { isDead } = watched()
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(HOUR_MS)
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(MISSING_FOR_MS - 1)
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(1)
  expect(await isDead('orders')).toBe(true)
})

test('an event that comes back later than missingForMs does not begin it anew', async () => {
  const { isDead } = watched(5_000)
  expect(await isDead('orders')).toBe(false)
  vi.advanceTimersByTime(HOUR_MS - 1)
  expect(await isDead('orders')).toBe(true)
})

test('with missingForMs 0 nothing is waited for', async () => {
  const { isDead } = watched(0)
  expect(await isDead('orders')).toBe(true)
})
