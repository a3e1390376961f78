import { brokenStore } from '../broken-store.ts'

/** An attempt number that is off by one. */
export const attemptsFromZero = brokenStore({
  fault: 'counts attempts from 0',
  steps: (right) => ({
    newRow(claim, before) {
      const { fingerprint } = right.newRow(claim, before)
      return { fingerprint, number: before === undefined ? 0 : before.number + 1 }
    },
  }),
  caughtBy: ['claims: the first claim on a key gets `run`, with attempt number 1'],
})
