import { brokenStore } from '../broken-store.ts'

/** The engine then counts the lease from the reply, and trusts a lease that has ended. */
export const silentAboutTime = brokenStore({
  fault: 'does not say when a lease was asked for',
  modes: ['lease'],
  steps: () => ({ timing: () => ({}) }),
  caughtBy: [
    'leases: the attempt reports when its claim was sent, by this process’s clock and after any wait',
  ],
})
