import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { attemptClock, end, goOn, stand } from '../../src/consumer/attempt-clock.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

function clockOf(limitMs: number) {
  const told = { over: 0 }
  const clock = attemptClock(limitMs, () => {
    told.over += 1
  })
  return { clock, told }
}

test('a wait takes nothing of the time, and what was used before is not given again', () => {
  const { clock, told } = clockOf(200)
  goOn(clock)
  vi.advanceTimersByTime(150)
  stand(clock)
  vi.advanceTimersByTime(199)
  goOn(clock)
  vi.advanceTimersByTime(49)
  expect(told.over).toBe(0)
  vi.advanceTimersByTime(1)
  expect(told.over).toBe(1)
})

test('a wait is over after as long as the attempt may take', () => {
  const { clock, told } = clockOf(200)
  stand(clock)
  vi.advanceTimersByTime(199)
  expect(told.over).toBe(0)
  vi.advanceTimersByTime(1)
  expect(told.over).toBe(1)
})

test('a clock that has ended tells nothing', () => {
  const { clock, told } = clockOf(200)
  goOn(clock)
  end(clock)
  vi.advanceTimersByTime(1_000)
  expect(told.over).toBe(0)
})
