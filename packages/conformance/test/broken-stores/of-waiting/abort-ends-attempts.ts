import { brokenStore } from '../broken-store.ts'

/** dotnet-starter-kit#1333: a client's hang-up discarded the result of its request. */
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
    'an aborted claim: leaves a free key free, or keeps the attempt that it won',
  ],
})

const gone = new Set<string>()
