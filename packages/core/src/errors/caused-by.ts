/**
 * Whether an error is one of `made`, or was thrown because of one: its `cause`, or the cause of
 * that, is one of them. For a runner that has to tell its own errors from those of the function
 * that it called, which may have let them through or wrapped them. Never throws: a thrown value
 * need not be an Error, and reading it may throw.
 */
export function isCausedByOne(error: unknown, made: ReadonlySet<unknown>): boolean {
  if (made.size === 0) return false
  try {
    let at = error
    for (let depth = 0; depth <= MOST_CAUSES; depth++) {
      if (made.has(at)) return true
      if (!(at instanceof Error) || at.cause === undefined) return false
      at = at.cause
    }
  } catch {
    // What cannot be read is not one of ours.
  }
  return false
}

const MOST_CAUSES = 10
