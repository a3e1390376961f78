import { OncekeyError } from '@oncekey/core'

/** The end of an attempt: the first to ask decides how, whoever comes later learns how it ended. */
export interface AttemptEnd {
  isOver(): boolean
  complete(end: () => Promise<Outcome>): Promise<Outcome>
  undo(end: () => Promise<void>): Promise<void>
}

export type Outcome = 'stored' | 'superseded'

/** `then` is called once it has ended, however it did. */
export function attemptEnd(then: () => void): AttemptEnd {
  let ended: Promise<Outcome> | undefined

  return {
    isOver: () => ended !== undefined,
    complete(end) {
      ended ??= end().finally(then)
      return ended
    },
    async undo(end) {
      // Why an end failed has been said to whoever asked for it.
      if (ended !== undefined) return void (await ended.catch(() => {}))
      ended = end()
        .then((): Outcome => 'superseded')
        .finally(then)
      await ended
    },
  }
}

export function transactionOver(): OncekeyError {
  return new OncekeyError('transaction-over', 'The attempt has ended, and its transaction with it.')
}
