import { brokenStore } from '../broken-store.ts'

/** dotnet-starter-kit#1333: the client hung up, and the result of its request went with it. */
export const abortEndsAttempts = brokenStore({
  fault: 'gives an attempt up when its caller is gone',
  steps: (right) => ({
    newRow(claim, before) {
      claim.signal.addEventListener('abort', () => gone.add(claim.token))
      if (claim.signal.aborted) gone.add(claim.token)
      return right.newRow(claim, before)
    },
    owns: (row, token, verb, table) => !gone.has(token) && right.owns(row, token, verb, table),
  }),
  caughtBy: [
    'an aborted claim: does not end the attempt it won: its result is kept',
    'an aborted claim: leaves a free key free, or the attempt that it won in its hands',
  ],
})

const gone = new Set<string>()
