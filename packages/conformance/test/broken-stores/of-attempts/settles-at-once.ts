import { brokenStore } from '../broken-store.ts'

/** A process that ends now leaves a key to a claim that nobody gives back. */
export const settlesAtOnce = brokenStore({
  fault: 'calls a claim settled that was not given back yet',
  modes: ['lease'],
  steps: () => ({ open: () => 0 }),
  caughtBy: ['a claim without an answer: is open for settle() until it was given back'],
})
