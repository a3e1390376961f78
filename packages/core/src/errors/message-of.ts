/**
 * The message of whatever was thrown, for a log or a warning. It never throws: an object without a
 * prototype has no text, and a getter or a proxy may throw when it is read.
 */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message || nameOf(thrown) : thrown)
  } catch {
    return 'What was thrown could not be read.'
  }
}

/**
 * When a connection to `localhost` is refused, Node throws an AggregateError, which has a code but
 * no message.
 */
function nameOf(error: Error): unknown {
  return 'code' in error ? error.code : error.name
}
