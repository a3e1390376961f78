import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { clockWatch } from '../../src/sql/clock-watch.ts'

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => vi.useRealTimers())

/** A watch on a server whose clock the test sets. */
function watched() {
  const seen = { clockMs: 1_000_000, reads: 0, mends: 0 }
  const watch = clockWatch({
    async readClock() {
      seen.reads++
      return seen.clockMs
    },
    async mend() {
      seen.mends++
    },
  })
  const pass = (ms: number, byServer = ms) => {
    vi.advanceTimersByTime(ms)
    seen.clockMs += byServer
  }
  return { seen, watch, pass }
}

test('mends at first, and then asks once a minute without mending', async () => {
  const { seen, watch, pass } = watched()
  for (let minute = 0; minute < 3; minute++) {
    for (let call = 0; call < 6; call++) {
      await watch()
      pass(10_000)
    }
  }
  expect(seen).toMatchObject({ reads: 3, mends: 1 })
})

test('mends when the clock of the server was put back, not when it is put forward', async () => {
  const { seen, watch, pass } = watched()
  await watch()
  pass(60_000, -3_540_000)
  await watch()
  expect(seen.mends).toBe(2)
  pass(60_000, 3_660_000)
  await watch()
  expect(seen.mends).toBe(2)
})

test('mends again at the next call if that failed', async () => {
  let fails = true
  let mends = 0
  const watch = clockWatch({
    readClock: async () => 0,
    async mend() {
      if (fails) throw new Error('away')
      mends++
    },
  })
  await expect(watch()).rejects.toThrow('away')
  fails = false
  await watch()
  expect(mends).toBe(1)
})
