import { hash } from 'node:crypto'

/**
 * Derives a key for a call to another service (a payment gateway): the same on every attempt of one
 * request, and different for every label. With such keys a handler that has effects outside can
 * safely run again.
 */
export function deriveKey(
  owner: { readonly namespace: string; readonly scope: string; readonly key: string },
  label: string,
): string {
  const parts = [owner.namespace, owner.scope, owner.key, label].map(
    (part) => `${part.length}:${part}`,
  )
  return `oncekey-${hash('sha256', parts.join(''), 'hex').slice(0, 40)}`
}
