import type { Attempt, Claim, Completion, Decision, Store } from '@oncekey/core'

/**
 * Replaces calls of a real store, each of which receives the original call and may make it or not.
 * It simulates failures: a lost reply, an unreachable server.
 */
export interface Faults {
  readonly begin?: (begin: () => Promise<Decision>, claim: Claim) => Promise<Decision>
  readonly open?: (open: () => Promise<Attempt>) => Promise<Attempt>
  readonly transaction?: (transaction: () => Promise<unknown>) => Promise<unknown>
  readonly complete?: (
    complete: () => Promise<'stored' | 'superseded'>,
    by: {
      readonly completion: Completion
      readonly attempt: Attempt
      /** `undefined` on a route called without a key. */
      readonly claim: Claim | undefined
    },
  ) => Promise<'stored' | 'superseded'>
  readonly abandon?: (abandon: () => Promise<void>) => Promise<void>
}

/** A completion that never reaches the store: the attempt ends as if its connection were lost. */
export function lostWith(error: unknown): NonNullable<Faults['complete']> {
  return async (_, { attempt }) => {
    await attempt.abandon()
    throw error
  }
}

/** The store with these faults. */
export function faultyStore(store: Store, faults: Faults): Store {
  function faulty(attempt: Attempt, claim: Claim | undefined): Attempt {
    return {
      number: attempt.number,
      transaction() {
        const transaction = () => attempt.transaction()
        return faults.transaction?.(transaction) ?? transaction()
      },
      renew: (leaseMs) => attempt.renew(leaseMs),
      release: () => attempt.release(),
      complete(completion) {
        const complete = () => attempt.complete(completion)
        return faults.complete?.(complete, { completion, attempt, claim }) ?? complete()
      },
      abandon() {
        const abandon = () => attempt.abandon()
        return faults.abandon?.(abandon) ?? abandon()
      },
    }
  }

  return {
    ...store,
    async begin(claim) {
      const begin = () => store.begin(claim)
      const decision = await (faults.begin?.(begin, claim) ?? begin())
      if (decision.kind !== 'run') return decision
      return { kind: 'run', attempt: faulty(decision.attempt, claim) }
    },
    async open(options) {
      const open = () => store.open(options)
      return faulty(await (faults.open?.(open) ?? open()), undefined)
    },
  }
}
