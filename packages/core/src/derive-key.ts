import { hash } from 'node:crypto'

/**
 * A key for a call further down (a payment gateway), the same on every attempt of one request, and
 * different for every label: what makes running a handler again safe where it calls the outside.
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
