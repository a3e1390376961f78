import { describe, expect, test } from 'vitest'
import { exploreHorizon, type HorizonBounds } from '../src/reading/horizon.ts'

const explored = (given: Pick<HorizonBounds, 'order'> & Partial<HorizonBounds>) =>
  exploreHorizon({ transactions: 2, subtransactions: 2, reads: 2, named: 1, ...given })

describe('a reader of snapshots, in every order of its steps and those of others,', () => {
  test('loses no event if it uses up a number after it took the snapshot', () => {
    const { lost, states, tries } = explored({ order: 'number-used-up' })
    expect(lost).toBe(false)
    expect(states).toBeGreaterThan(1_000)
    // Each further try needs more numbers that were taken between two of its steps.
    expect(tries).toBe(2)
  })

  test.each(['own-end', 'number-first', 'rows-first'] as const)(
    'loses an event by the order %s',
    (order) => {
      expect(explored({ order }).lost).toBe(true)
    },
  )
})
