/**
 * The SQLSTATE of an error that a PostgreSQL server sent. ORMs wrap the driver's error, so the
 * first cause with an SQLSTATE is used.
 */
export function sqlState(error: unknown): string | undefined {
  for (let at = error; isObject(at); at = at.cause) {
    // `severity` distinguishes a server's error from a system error: the code EPIPE has five
    // capital letters, too.
    if (typeof at.severity === 'string' && typeof at.code === 'string') return at.code
  }
  return undefined
}

/**
 * The constraint that an error names as violated, with its schema. Drivers spell the fields in two
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
 * Whether an error of a COMMIT means that nothing was committed. It does if the server itself
 * reported an ordinary error. After a lost connection, a shutdown, or a failure in the server's
 * storage, the outcome is open. Errors are told apart by their class, not by their severity,
 * because severities are translated.
 */
export function isOutcomeKnown(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && !UNSURE.test(state)
}

/**
 * Classes after which the outcome is open: connection (08), session ended (25P03, 25P04), unknown
 * by definition (40003), shutdown (57P), storage.
 */
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
