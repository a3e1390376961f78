const REPLAYED = ['x-idempotency-replayed', 'idempotent-replayed']

const keys = new WeakMap<Response, string>()

/**
 * Whether the server answered from its record instead of running the request. Across origins a page
 * sees this only if the server lists the header in `Access-Control-Expose-Headers`.
 */
export function isReplayed(response: Pick<Response, 'headers'>): boolean {
  return REPLAYED.some((name) => response.headers.get(name)?.toLowerCase() === 'true')
}

/**
 * The key of a response of this client; undefined for a call that needed none. Use it to ask again
 * after a 503 that outlasted every attempt.
 */
export function keyOf(response: Response): string | undefined {
  return keys.get(response)
}

/** Records the key for `keyOf`. */
export function noteKey(response: Response, key: string): void {
  keys.set(response, key)
}
