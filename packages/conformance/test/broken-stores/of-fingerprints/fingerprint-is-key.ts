import { brokenStore } from '../broken-store.ts'

/** idempot-js: a second, identical order conflicted with the first, whatever its key. */
export const fingerprintIsKey = brokenStore({
  fault: 'finds records by what was asked',
  steps: () => ({
    id: ({ namespace, scope, fingerprints }) => `${namespace}${scope}${fingerprints}`,
  }),
  caughtBy: ['claims: the same request under another key is another request'],
})
