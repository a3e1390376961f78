import { brokenStore } from '../broken-store.ts'

/** actor-ts: the claim is deleted on a throw, although the payment may have happened. */
export const abandonForgets = brokenStore({
  fault: 'forgets an abandoned attempt in lease mode',
  modes: ['lease'],
  steps: () => ({ free: (_row, id, _verb, table) => table.rows.delete(id) }),
  caughtBy: [
    'abandon: in lease mode makes the key `unknown` at once, however long its lease',
    'abandon: in lease mode lets a claim that retakes run at once, as attempt number 2',
    'mismatch: a key whose outcome is unknown answers `mismatch` to another request',
    'waiting: in lease mode one waiter takes over when the attempt is abandoned',
    'waiting: ends with `unknown` when the attempt is abandoned and the claim holds',
    'an unknown outcome: is held for every claim with `hold`',
  ],
})
