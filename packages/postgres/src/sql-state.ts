/**
 * The SQLSTATE of an error, where a PostgreSQL server sent it. ORMs wrap the driver's error: the
 * first cause that carries one counts.
 */
export function sqlState(error: unknown): string | undefined {
  for (let at = error; isObject(at); at = at.cause) {
    // `severity` tells a server's error from a system's: EPIPE has five capital letters too.
    if (typeof at.severity === 'string' && typeof at.code === 'string') return at.code
  }
  return undefined
}

/**
 * Whether an error that ended a COMMIT says that nothing was committed. It does when the server
 * itself reported an ordinary error; a lost connection, a shutdown, or a failure in the server's
 * storage leave it open. By class, not by severity: severities are translated.
 */
export function isOutcomeKnown(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !UNSURE.test(state)
}

/** Connection (08), killed (25P03, 25P04), unknown by name (40003), shutdown (57P), storage. */
const UNSURE = /^(?:08|25P03|25P04|40003|57P|58|F0|XX)/

function isObject(
  value: unknown,
): value is { cause?: unknown; code?: unknown; severity?: unknown } {
  return typeof value === 'object' && value !== null
}
