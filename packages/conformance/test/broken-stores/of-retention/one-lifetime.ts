import { brokenStore } from '../broken-store.ts'
import { DAY_MS } from '../plain-store.ts'

/**
 * @node-idempotency, idempot-js, IdempotentAPI: a crash blocks its key for as long as results are
 * kept.
 */
export const oneLifetime = brokenStore({
  fault: 'keeps `in-progress` for as long as a result',
  modes: ['lease'],
  steps: () => ({ leaseMs: () => DAY_MS }),
  caughtBy: [
    'leases: a key is owned until the lease runs out, and then taken over as attempt number 2',
    'an unknown outcome: results from a lease that ran out, with the time',
    'waiting: in lease mode one waiter takes over when the lease runs out',
  ],
})
