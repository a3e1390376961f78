import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { deadlines } from '../../src/time/deadlines.ts'

const pass = (ms: number) => vi.advanceTimersByTime(ms)

describe('deadlines', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
  afterEach(() => void vi.useRealTimers())

  function clock() {
    const late: string[] = []
    return { late, ...deadlines<string>(100, (who) => late.push(`${who} at ${performance.now()}`)) }
  }

  test('call late for each one when its time is up', () => {
    const { start, late } = clock()
    start('a')
    pass(30)
    start('b')
    start('c')
    pass(1_000)
    expect(late).toEqual(['a at 100', 'b at 130', 'c at 130'])
  })

  test.each([
    ['the first', 'a', ['b at 110', 'c at 120']],
    ['one in the middle', 'b', ['a at 100', 'c at 120']],
    ['the last', 'c', ['a at 100', 'b at 110']],
  ])('are not reported once stopped: %s', (_, stopped, told) => {
    const { start, stop, late } = clock()
    const waiting = ['a', 'b', 'c'].map((who) => {
      const deadline = start(who)
      pass(10)
      return deadline
    })
    for (const deadline of waiting) if (deadline.waiting === stopped) stop(deadline)
    pass(1_000)
    expect(late).toEqual(told)
  })

  test('work for one that starts while the timer of a stopped one still runs', () => {
    const { start, stop, late } = clock()
    stop(start('a'))
    pass(60)
    start('b')
    pass(1_000)
    expect(late).toEqual(['b at 160'])
  })

  test('share one timer, and have none once it has fired', () => {
    const { start, stop } = clock()
    const waiting = Array.from({ length: 50 }, (_, at) => start(String(at)))
    expect(vi.getTimerCount()).toBe(1)
    for (const deadline of waiting) stop(deadline)
    pass(100)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('may be stopped twice, and after late was called', () => {
    const { start, stop, late } = clock()
    const first = start('a')
    stop(first)
    stop(first)
    const second = start('b')
    pass(100)
    stop(second)
    start('c')
    pass(100)
    expect(late).toEqual(['b at 100', 'c at 200'])
  })

  test('are unlinked when stopped, so that an old one keeps no later one alive', () => {
    const { start, stop } = clock()
    const [first, middle, last] = [start('a'), start('b'), start('c')]
    for (const stopped of [middle, first, last]) {
      stop(stopped)
      expect([stopped.before, stopped.after]).toEqual([undefined, undefined])
    }
  })

  test('may start again inside late', () => {
    const late: string[] = []
    const { start } = deadlines<string>(100, (who) => {
      late.push(`${who} at ${performance.now()}`)
      if (who === 'a') start('b')
    })
    start('a')
    pass(1_000)
    expect(late).toEqual(['a at 100', 'b at 200'])
  })
})

test('let the process exit while none is running', () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const { start, stop } = deadlines<string>(60_000, () => {})
  const before = timers()
  const deadline = start('a')
  expect(timers()).toBe(before + 1)
  stop(deadline)
  expect(timers()).toBe(before)
  const again = start('b')
  expect(timers()).toBe(before + 1)
  stop(again)
})
