import { brokenStore } from '../broken-store.ts'

/** One lock for the whole table, which the capabilities do not mention. */
export const oneAtATime = brokenStore({
  fault: 'lets one key run at a time',
  steps: () => ({
    isLocked: (id, _claim, { rows }) =>
      !rows.has(id) && [...rows.values()].some(({ state }) => state === 'running'),
  }),
  caughtBy: [
    'claims: attempts on different keys run side by side',
    'waiting: starves neither the running attempt nor others',
  ],
})
