import { sqlState } from './sql-state.ts'

/**
 * Runs `work`, and again while the server refuses it with a serialization failure, ten times at
 * most.
 */
export async function whenSerialized<T>(work: () => Promise<T>): Promise<T> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await work()
    } catch (error) {
      if (left === 1 || sqlState(error) !== SERIALIZATION_FAILURE) throw error
    }
  }
}

export const SERIALIZATION_FAILURE = '40001'
const TRIES = 10
