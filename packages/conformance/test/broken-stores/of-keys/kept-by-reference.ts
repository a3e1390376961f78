import type { StoredResponse } from '@oncekey/core'
import { brokenStore } from '../broken-store.ts'

/** An in-memory cache that stores references instead of copies. */
export const keptByReference = brokenStore({
  fault: 'keeps the arrays of the caller',
  steps: () => ({
    encode: (response) => response,
    decode: (kept) => kept as StoredResponse,
  }),
  caughtBy: [
    'byte-exact responses: what the caller does to its arrays after completing does not change the record',
    'byte-exact responses: what a caller does to a replay does not change the record',
  ],
})
