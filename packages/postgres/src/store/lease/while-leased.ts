import { type Deadlines, deadlines } from '@oncekey/core'

/** Does the work that ends an attempt, and renews its lease for as long as that takes. */
export type WhileLeased = <T>(
  leaseMs: number,
  renew: (leaseMs: number) => Promise<unknown>,
  work: () => Promise<T>,
) => Promise<T>

/**
 * The engine stops renewing when it hands over the response. The statement that stores it may have
 * to wait for a connection of the pool, longer than the lease, and a retry that took the key over
 * meanwhile would run the handler again although it has long ended.
 *
 * Leases of one length share a timer: most completions are over before the first renewal is due.
 */
export function whileLeased(): WhileLeased {
  const clocks = new Map<number, Deadlines<() => void>>()

  function clockFor(leaseMs: number): Deadlines<() => void> {
    const clock = clocks.get(leaseMs) ?? deadlines(leaseMs / 3, (renew: () => void) => renew())
    clocks.set(leaseMs, clock)
    return clock
  }

  return async (leaseMs, renew, work) => {
    const clock = clockFor(leaseMs)
    const again = (): void => {
      // A lease that cannot be renewed ends, and the completion is refused or not by what is then.
      renew(leaseMs).catch(() => {})
      deadline = clock.start(again)
    }
    let deadline = clock.start(again)
    try {
      return await work()
    } finally {
      clock.stop(deadline)
    }
  }
}
