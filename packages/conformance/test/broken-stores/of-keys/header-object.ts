import { brokenStore } from '../broken-store.ts'

/** Most libraries: one value per header, and removed headers are not recorded. */
export const headerObject = brokenStore({
  fault: 'keeps headers as an object',
  steps: () => ({
    encode({ headers, ...response }) {
      const set = headers.filter(([, value]) => value !== null)
      const object = Object.fromEntries(set.map(([name, value]) => [name.toLowerCase(), value]))
      return structuredClone({ ...response, headers: Object.entries(object) })
    },
  }),
  caughtBy: [
    'byte-exact responses: replays headers in the order they were set, several values apart',
    'byte-exact responses: replays headers that the handler removed',
    'byte-exact responses: replays header names and values as they were written',
  ],
})
