import { brokenStore } from '../broken-store.ts'

/** The engine counts from the answer then, and believes in a lease that has ended. */
export const silentAboutTime = brokenStore({
  fault: 'does not say when a lease was asked for',
  modes: ['lease'],
  steps: () => ({ timing: () => ({}) }),
  caughtBy: [
    'leases: the attempt says when its lease was asked for, in this process and after any wait',
  ],
})
