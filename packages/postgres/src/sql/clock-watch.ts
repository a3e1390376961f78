import type { Statement } from './sql-client.ts'

/**
 * Compares a server's clock with our monotonic clock, at most once a minute. If the server's clock
 * has lost time since the last comparison, it was put back, and times set before lie too far ahead;
 * then `mend` is called. The first call always mends, because nothing is known of the clock before
 * it. So rows are searched only when there is a reason to.
 */
export function clockWatch(of: {
  /** Reads the server's clock. Milliseconds. */
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
 * Smaller than the five seconds by which a time has to lie in the future to be moved. So a reply
 * that is slow by less than the difference does not hide a clock that was put back.
 */
const TOLERATED_MS = 4_000
