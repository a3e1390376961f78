import { OncekeyError } from '@oncekey/core'

/**
 * Makes an attempt end once: the first call decides how it ends, later calls get the same outcome.
 */
export interface AttemptEnd {
  isOver(): boolean
  complete(end: () => Promise<Outcome>): Promise<Outcome>
  undo(end: () => Promise<void>): Promise<void>
}

export type Outcome = 'stored' | 'superseded'

/** Calls `then` once the attempt has ended, whatever the outcome. */
export function attemptEnd(then: () => void): AttemptEnd {
  let ended: Promise<Outcome> | undefined

  // Not `finally()` of the promise, which makes three promises where this makes one.
  async function lastly(end: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await end()
    } finally {
      then()
    }
  }

  return {
    isOver: () => ended !== undefined,
    complete(end) {
      ended ??= lastly(end)
      return ended
    },
    async undo(end) {
      // The caller that began to end it has been told why that failed.
      if (ended !== undefined) return void (await ended.catch(() => {}))
      ended = lastly(() => end().then((): Outcome => 'superseded'))
      await ended
    },
  }
}

export function transactionOver(): OncekeyError {
  return new OncekeyError('transaction-over', 'The attempt has ended, and its transaction with it.')
}
