import { callLater, endsWithin, OptionsError, sleep } from '@oncekey/core'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { durationOptions, noOptions } from '../src/duration-options.ts'
import { foundDurations, sources } from '../src/found-durations.ts'

const VALUES: readonly unknown[] = [
  ...[0, 1, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31 - 1, 2 ** 31],
  ...[Number.MAX_SAFE_INTEGER, '5000'],
]

describe('every option that is a length of time', () => {
  test('has a row here, or a reason why it is not an option', () => {
    const rows = new Set([...durationOptions.map(({ option }) => option), ...noOptions.keys()])
    const found = foundDurations()
    expect(found.filter((each) => !rows.has(each))).toEqual([])
    // An option that `foundDurations` does not find, because the members of its type are not
    // optional.
    const extra = 'redis/src/store/options.ts: replicas.timeoutMs'
    expect([...rows].filter((each) => each !== extra && !found.includes(each))).toEqual([])
  })

  describe.each(durationOptions)('$option', ({ option, takes, give }) => {
    test.each(VALUES)('accepts %s, or says what to write instead', async (value) => {
      const outcome = await Promise.resolve()
        .then(() => give(value as number))
        .catch((error: unknown) => error)
      if (takes(value)) expect(outcome).not.toBeInstanceOf(OptionsError)
      else {
        expect(outcome).toBeInstanceOf(OptionsError)
        // The message names the option.
        expect(String(outcome)).toMatch(/\d/)
        expect(String(outcome)).toContain(option.split(/[ .]/).at(-1))
      }
    })
  })
})

describe('a timer', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  // Node fires a timer that is set for longer than 2^31 - 1 at once.
  test.each([2 ** 31 - 1, 2 ** 31, 30 * 86_400_000, 2 ** 33 + 5])(
    'of %s ms fires on time and not before',
    (ms) => {
      const rung = vi.fn()
      callLater(rung, ms)
      vi.advanceTimersByTime(ms - 1)
      expect(rung).not.toHaveBeenCalled()
      vi.advanceTimersByTime(1)
      expect(rung).toHaveBeenCalledOnce()
    },
  )

  test('of Infinity never fires, and can be cancelled', async () => {
    const rung = vi.fn()
    const later = callLater(rung, Number.POSITIVE_INFINITY)
    void endsWithin(new Promise(() => {}), Number.POSITIVE_INFINITY).then(rung)
    void sleep(Number.POSITIVE_INFINITY).then(rung)
    await vi.advanceTimersByTimeAsync(2 ** 33)
    expect(rung).not.toHaveBeenCalled()
    later.cancel()
  })
})

describe('no package sets a timer itself', () => {
  const ALLOWED = new Map([
    ['core/src/time/durations.ts', 'the one that does'],
    ['client/src/time-limit.ts', 'stands alone, in browsers; its options end at 2^31 - 1'],
    ['cli/src/command/interruption.ts', 'a constant'],
    ['cli/src/commands/events.ts', 'a constant'],
    ['cli/src/main.ts', 'constants'],
    ['cli/src/remote/api.ts', 'checked in main.ts'],
    ['dashboard/src/routing/form.ts', 'the next turn of the event loop'],
    ['postgres/src/sql/pg/cancel-request.ts', "a socket's, a constant"],
    ['postgres/src/store/purge.ts', 'an example'],
    ['saga/src/state/leases.ts', 'once a second or more often'],
    ['web/src/handling/cancelled.ts', 'the next turn of the event loop'],
  ])

  test('except timers that cannot be too long', () => {
    const setting = [...sources()].flatMap(([path, text]) =>
      /\b(setTimeout|setInterval|AbortSignal\.timeout)\(/.test(text) ? [path] : [],
    )
    expect(setting.sort()).toEqual([...ALLOWED.keys()].sort())
  })
})
