import { brokenStore } from '../broken-store.ts'

/** Names joined by a character that names may contain. */
export const joinedKeys = brokenStore({
  fault: 'joins namespace, scope and key with a colon',
  steps: () => ({ id: ({ namespace, scope, key }) => `${namespace}:${scope}:${key}` }),
  caughtBy: ['keys: never meet: namespace, scope and key joined by :'],
})
