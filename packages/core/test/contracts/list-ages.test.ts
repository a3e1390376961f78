import { enrolled, type ListAges, listAges, type SubscriptionRecord, wantedIn } from '@oncekey/core'
import { expect, test } from 'vitest'

const HOUR_MS = 3_600_000

/** A log whose clock a test sets, and one process with relays of the old list. */
function scene() {
  let mono = 0
  let nowMs = 1_000_000_000
  let record: SubscriptionRecord | null = null
  const processes: [ListAges, ListAges] = [listAges(() => mono), listAges(() => mono)]
  const want = (by: 0 | 1, relay: string, types: string[]) => {
    const known = processes[by].corrected('mail', record, nowMs)
    record = enrolled(known, { types, relay, leaseMs: 15_000, nowMs })
    return wantedIn(record, nowMs)
  }
  return {
    old: () => want(0, 'old', ['placed']),
    fresh: () => want(1, 'fresh', ['noted', 'placed']),
    /** A process of the old release that has just started, and knows nothing of before. */
    restarted() {
      processes[0] = listAges(() => mono)
      return want(0, 'restarted', ['placed'])
    },
    pass(ms: number) {
      mono += ms
      nowMs += ms
    },
    putClock(ms: number) {
      nowMs += ms
    },
  }
}

// A bug: relays of the older release read on with their own list, and so skipped the events that
// only the new list takes.
test('a list is wanted on after the clock of the log was put ahead', () => {
  const { old, fresh, pass, putClock } = scene()
  old()
  fresh()
  pass(5_000)
  // The fresh relay is seen once more, which the old one has not looked at yet.
  fresh()
  pass(1_000)
  putClock(HOUR_MS)
  expect(old()).toEqual(['noted', 'placed'])
  pass(5_000)
  expect(old()).toEqual(['noted', 'placed'])
  expect(fresh()).toEqual(['noted', 'placed'])
})

// A bug: a relay that had just started forgot the list of living ones, and passed their events.
test('a list of living relays is wanted by a process that starts after the clock was set right', () => {
  const { old, fresh, restarted, pass, putClock } = scene()
  old()
  fresh()
  putClock(-HOUR_MS)
  pass(1_000)
  fresh()
  putClock(HOUR_MS)
  expect(restarted()).toEqual(['noted', 'placed'])
  expect(restarted()).toEqual(['noted', 'placed'])
})

test('a list whose relays are gone is forgotten in its time, however often processes start', () => {
  const { fresh, restarted, pass } = scene()
  fresh()
  let wanted: readonly string[] = []
  let passed = 0
  do {
    pass(60_000)
    passed += 60_000
    wanted = restarted()
  } while (wanted.includes('noted') && passed < HOUR_MS)
  expect(passed).toBeGreaterThanOrEqual(600_000)
  expect(passed).toBeLessThanOrEqual(700_000)
})

test('a list whose relays are gone is forgotten in its time, whoever looks, and wherever the clock was put', () => {
  for (const jumpMs of [0, HOUR_MS]) {
    const { old, fresh, pass, putClock } = scene()
    old()
    fresh()
    let wanted: readonly string[] = []
    let passed = 0
    putClock(jumpMs)
    do {
      pass(5_000)
      passed += 5_000
      wanted = old()
    } while (wanted.includes('noted') && passed < HOUR_MS)
    expect(passed).toBeGreaterThanOrEqual(595_000)
    expect(passed).toBeLessThanOrEqual(700_000)
  }
})
