import { brokenStore } from '../broken-store.ts'

/**
 * dotnet-starter-kit replayed a 201 as 200. The id of the sealing key can be lost in the same way.
 */
export const bodyOnly = brokenStore({
  fault: 'keeps the body and its headers only',
  steps: (right) => ({
    encode: (response) => right.encode({ ...response, status: 0, seal: null }),
  }),
  caughtBy: [
    'byte-exact responses: replays status 200',
    'byte-exact responses: replays status 201',
    'byte-exact responses: replays status 404',
    'byte-exact responses: replays the id of the key a response is sealed with',
  ],
})
