import { brokenStore } from '../broken-store.ts'

/** What an app found out about one attempt is done to the next one, which may have charged. */
export const retakesAnyAttempt = brokenStore({
  fault: 'takes over another attempt than the one that the claim names',
  modes: ['lease'],
  steps: () => ({ holds: ({ whenUnknown }) => whenUnknown === 'hold' }),
  caughtBy: ['an unknown outcome: is retaken only from the attempt that the claim names'],
})
