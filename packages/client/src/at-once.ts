/**
 * Returns what a function of the app returned that must answer at once. If that is a promise, of
 * whatever realm or library, nobody will wait for it, and without this it would end the process if
 * it rejects.
 */
export function atOnce<Value>(returned: Value): Value {
  if (isPromise(returned)) returned.then(undefined, () => {})
  return returned
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false
  return typeof (value as PromiseLike<unknown>).then === 'function'
}
