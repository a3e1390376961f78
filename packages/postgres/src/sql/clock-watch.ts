import type { Statement } from './sql-client.ts'

/**
 * Compares a server's clock with our monotonic clock, at most once a minute, and calls `mend` if
 * the server's has lost time since: it was put back, and times that were set before lie too far
 * ahead. The first call mends too, because it is not known what the clock was before. Rows are
 * therefore searched only when there is a reason to.
 */
export function clockWatch(of: {
  /** The server's clock. Milliseconds. */
  readonly readClock: () => Promise<number>
  readonly mend: () => Promise<void>
}): () => Promise<void> {
  let before: { readonly askedAt: number; readonly clockMs: number } | undefined

  return async () => {
    const askedAt = performance.now()
    if (before !== undefined && askedAt - before.askedAt < EVERY_MS) return
    const clockMs = await of.readClock()
    const isAsBefore =
      before !== undefined && clockMs - before.clockMs >= askedAt - before.askedAt - TOLERATED_MS
    if (!isAsBefore) await of.mend()
    before = { askedAt, clockMs }
  }
}

/** Reads the database's clock, in milliseconds. */
export function readClock(): Statement<{ ms: number }> {
  return {
    name: 'read_clock',
    text: 'select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms',
    values: [],
  }
}

const EVERY_MS = 60_000
/**
 * Below the five seconds from which a time counts as set in the future, so that a slow reply hides
 * no clock put back.
 */
const TOLERATED_MS = 4_000
