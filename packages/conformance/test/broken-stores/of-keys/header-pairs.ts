import { brokenStore } from '../broken-store.ts'

/** A replay would take away the lines that the app set before. */
export const headerPairs = brokenStore({
  fault: 'keeps headers as pairs, without what says that a line goes beside others',
  steps: () => ({
    encode({ headers, ...response }) {
      const pairs = headers.map(([name, value]) => [name, value] as const)
      return structuredClone({ ...response, headers: pairs })
    },
  }),
  caughtBy: ['byte-exact responses: replays a header line that goes beside those already set'],
})
