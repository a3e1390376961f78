import { brokenStore } from '../broken-store.ts'

/** @node-idempotency: a waiter for a holder that had disappeared waited until its timeout. */
export const waitsInVain = brokenStore({
  fault: 'waits for a result only',
  steps: (right) => {
    const waiting = new Set<string>()
    return {
      isLocked: (id, { token }, { rows }) =>
        waiting.has(token) && rows.get(id)?.state !== 'finished',
      whenStillBusy(claim, waitedMs) {
        waiting.add(claim.token)
        return right.whenStillBusy(claim, waitedMs)
      },
    }
  },
  caughtBy: [
    'waiting: one waiter takes over when the attempt is released, the others wait on',
    'waiting: in lease mode one waiter takes over when the lease runs out',
  ],
})
