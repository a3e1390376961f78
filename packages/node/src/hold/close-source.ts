/**
 * Stops a stream that nobody reads any more, by whichever method it has. Returns `false` if it has
 * none, as old ones do, or if that failed: then it may go on writing. Never throws, because an old
 * stream's method is somebody's own code, and an answer waits for what comes after it.
 */
export function closeSource(source: NodeJS.ReadableStream): boolean {
  const { destroy, close, abort } = source as NodeJS.ReadableStream & Stoppable
  try {
    if (typeof destroy === 'function') destroy.call(source)
    else if (typeof close === 'function') close.call(source, () => {})
    else if (typeof abort === 'function') abort.call(source)
    else return false
    return true
  } catch {
    return false
  }
}

interface Stoppable {
  destroy?(): void
  close?(done: () => void): void
  abort?(): void
}
