import { brokenStore } from '../broken-store.ts'

/** The reverse: a response streamed past the store is replayed as if it had been empty. */
export const noBodyIsEmpty = brokenStore({
  fault: 'takes a body that was not kept for an empty one',
  steps: (right) => ({
    encode: (response) => right.encode({ ...response, body: response.body ?? new Uint8Array() }),
  }),
  caughtBy: [
    'byte-exact responses: a completed key whose body was not kept answers `result-gone`, not an empty body',
    'a result that is gone: is `result-gone` for every claim, never a second run',
    'a result that is gone: is the decision for a waiting claim, too',
  ],
})
