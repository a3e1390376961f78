const REPLAYED = ['x-idempotency-replayed', 'idempotent-replayed']

const keys = new WeakMap<object, string | undefined>()

/**
 * Whether the server answered from its record instead of running the request. Across origins a page
 * sees this only if the server lists the header in `Access-Control-Expose-Headers`.
 */
export function isReplayed(response: Pick<Response, 'headers'>): boolean {
  return REPLAYED.some((name) => response.headers.get(name)?.toLowerCase() === 'true')
}

/**
 * The key of a call, by what the call ended with: its response, its `RetryError`, or the reason of
 * its signal. Use it to ask again. Undefined for a call that needed no key, for one that was
 * rejected before its first attempt, and for a reason that ended several calls, because it does not
 * tell which.
 */
export function keyOf(end: unknown): string | undefined {
  return isObject(end) ? keys.get(end) : undefined
}

/**
 * Records the key for `keyOf`. One reason may end several calls: with two different keys it has
 * none from then on, because the key of another call would be worse.
 */
export function noteKey(end: unknown, key: string | undefined): void {
  if (!isObject(end)) return
  keys.set(end, keys.has(end) && keys.get(end) !== key ? undefined : key)
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
