import {
  createFetch,
  type FetchOptions,
  type OncekeyFetch,
  type PendingStorage,
} from '@oncekey/client'

export const quick = { baseDelayMs: 1, maxDelayMs: 2, maxAttempts: 1 }
export const order = { method: 'POST', body: '{"item":"violin"}', operation: 'order' }

/** A storage like `localStorage`, and its contents. */
export function memory(): PendingStorage & { readonly items: Map<string, string> } {
  const items = new Map<string, string>()
  return {
    items,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => void items.set(name, value),
    removeItem: (name) => void items.delete(name),
  }
}

/** A freshly loaded page: empty memory, and the storage as the last page left it. */
export function page(storage: PendingStorage, options: FetchOptions = {}): OncekeyFetch {
  return createFetch({ ...quick, ...options, pending: { storage, ...options.pending } })
}
