import { brokenStore } from '../broken-store.ts'

/** @node-idempotency/express: `if (body)`, so a replayed 204 ran the handler again. */
export const emptyBodyIsNone = brokenStore({
  fault: 'takes an empty body for none',
  steps: (right) => ({
    encode: (response) =>
      right.encode(response.body?.length === 0 ? { ...response, body: null } : response),
  }),
  caughtBy: ['byte-exact responses: replays a body of no bytes at all'],
})
