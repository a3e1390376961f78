import { describe, expect, test } from 'vitest'
import { type Bounds, exploreReading } from '../src/reading/explore.ts'

const bounds = (given: Partial<Bounds>): Bounds => ({
  rule: 'by-life',
  transactions: 2,
  writes: 1,
  synchronous: true,
  crashes: 0,
  promotions: 0,
  restores: 0,
  ...given,
})

const faults = [
  ['crashes', { crashes: 2 }],
  ['is failed over to a standby that lags', { promotions: 1 }],
  ['is restored from a dump', { restores: 1 }],
] as const

describe('a reader by snapshot difference, in every order of the steps,', {
  timeout: 120_000,
}, () => {
  test.each(
    faults.flatMap(([what, fault]) => [
      [what, 'on', fault] as const,
      [what, 'off', fault] as const,
    ]),
  )(
    'loses no event of a database that %s, with synchronous_commit = %s, if positions belong to a life',
    (_, commits, fault) => {
      const { lost, states } = exploreReading(bounds({ ...fault, synchronous: commits === 'on' }))
      expect(lost).toBeUndefined()
      // A search that stopped early would find no violation.
      expect(states).toBeGreaterThan(1_000)
    },
  )

  test.each(faults)(
    'loses an event of a database that %s, if positions are trusted as long as they fit',
    (_, fault) => {
      const { lost } = exploreReading(bounds({ ...fault, rule: 'as-long-as-it-fits' }))
      expect(lost?.steps.join(', ')).toMatch(/crashes|promoted|restored/)
    },
  )

  test('loses no event by either rule if nothing happens to the database', () => {
    for (const rule of ['as-long-as-it-fits', 'by-life'] as const) {
      const { lost } = exploreReading(bounds({ rule, writes: 2 }))
      expect(lost).toBeUndefined()
    }
  })
})
