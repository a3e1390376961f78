import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** express-idempotency with its Redis adapter: ten requests at once, five runs. */
export const checkThenSet = brokenStore({
  fault: 'looks first and claims later',
  steps: () => ({ afterLook: turn }),
  caughtBy: [
    'claims: of 100 concurrent claims on one key one gets `run`, the others `in-progress`',
    'claims: of 100 concurrent claims through two instances one gets `run`',
    'release: frees the key for one of a hundred claims',
  ],
})
