import { brokenStore } from '../broken-store.ts'

/** qonto: keys were lower-cased, and keys of two customers collided. */
export const caseBlindKeys = brokenStore({
  fault: 'compares keys without their case',
  steps: (right) => ({ id: (claim) => right.id(claim).toLowerCase() }),
  caughtBy: ['keys: never meet: keys that differ in case', 'keys: never meet: namespaces'],
})
