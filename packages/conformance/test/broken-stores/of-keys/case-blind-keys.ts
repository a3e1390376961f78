import { brokenStore } from '../broken-store.ts'

/** qonto: keys were lower-cased, and two customers' keys met. */
export const caseBlindKeys = brokenStore({
  fault: 'compares keys without their case',
  steps: (right) => ({ id: (claim) => right.id(claim).toLowerCase() }),
  caughtBy: ['keys: never meet: keys that differ in case', 'keys: never meet: namespaces'],
})
