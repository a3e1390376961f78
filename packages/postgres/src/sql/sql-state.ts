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
 * The constraint that an error says was violated, with its schema. Drivers spell the fields in two
 * ways.
 */
export function violatedConstraint(error: unknown): string | undefined {
  for (let at = error; isObject(at); at = at.cause) {
    const name = at.constraint ?? at.constraint_name
    if (typeof name === 'string') return `${at.schema ?? at.schema_name}.${name}`
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

interface ErrorFields {
  readonly cause?: unknown
  readonly code?: unknown
  readonly severity?: unknown
  readonly schema?: unknown
  readonly schema_name?: unknown
  readonly constraint?: unknown
  readonly constraint_name?: unknown
}

function isObject(value: unknown): value is ErrorFields {
  return typeof value === 'object' && value !== null
}
