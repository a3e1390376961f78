import { brokenStore } from '../broken-store.ts'

/** quarkus-http-idempotency, Truxify: `DEL key`, whoever owns it. */
export const releaseWithoutOwner = brokenStore({
  fault: 'releases without asking who owns the key',
  steps: (right) => ({
    owns: (row, token, verb, table) =>
      verb === 'release' ? row !== undefined : right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'release: of a completed attempt does nothing',
    'release: by an attempt that ended before does nothing to the one that has the key now',
  ],
})
