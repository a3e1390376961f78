import { type Random, randomOf } from './random.ts'

/**
 * A fault, its target, and when it is due. All its other random values come from a source of its
 * own.
 */
export interface ScheduledFault {
  /** The fault is due when this many orders have been started. */
  readonly atOrder: number
  readonly name: string
  /** A server by its index, or the database. Faults of one target come one after the other. */
  readonly target: number | 'database'
  readonly random: Random
}

/** The faults of a seed, in the order in which they come. */
export function schedule(of: {
  readonly seed: string
  readonly orders: number
  readonly faults: number
  readonly servers: number
  readonly serverFaults: readonly string[]
  readonly databaseFaults: readonly string[]
}): ScheduledFault[] {
  const { seed, orders, faults, servers, serverFaults, databaseFaults } = of
  return Array.from({ length: faults }, (_, index) => {
    const random = randomOf(seed, 'fault', index)
    const atOrder = Math.floor((orders * (index + 1)) / (faults + 1))
    // The kinds take turns, so that as many kinds as possible occur even among few faults; a
    // shuffle would leave some out.
    const all = [...serverFaults, ...databaseFaults]
    const name = index < all.length ? rotated(all, seed)[index] : random.oneOf(all)
    if (name === undefined) throw new Error('There is no fault to make.')
    const isOfServer = serverFaults.includes(name)
    return {
      atOrder,
      name,
      target: isOfServer ? random.between(0, servers - 1) : 'database',
      random,
    }
  })
}

/** Rotates the kinds, so that a small campaign starts with another kind for each seed. */
function rotated(names: readonly string[], seed: string): string[] {
  const start = randomOf(seed, 'first fault').between(0, names.length - 1)
  return [...names.slice(start), ...names.slice(0, start)]
}
