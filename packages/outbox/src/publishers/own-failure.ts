/**
 * Makes the error of a send that a publisher has not begun, or waits for no longer. It says nothing
 * about the event, so the app's `isPermanent` is not asked about it: during an outage one that
 * names the errors worth a retry would make dead letters of all events.
 */
export function ownFailure(message: string, options?: ErrorOptions): Error {
  const error = new Error(message, options)
  made.add(error)
  return error
}

/** Whether a publisher itself has made this error. */
export function isOwnFailure(error: unknown): boolean {
  return typeof error === 'object' && error !== null && made.has(error)
}

const made = new WeakSet<object>()
