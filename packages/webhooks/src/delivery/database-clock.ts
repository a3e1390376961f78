/** A clock that says nothing once it may be wrong. */
export type DatabaseClock = () => Date | undefined

/**
 * The database's clock, which told `atMs` a moment ago, without asking it again. Deliveries are
 * signed by it: receivers refuse a timestamp that is minutes off, which makes a delivery dead, and
 * the clocks of single hosts are off after they were suspended.
 *
 * `performance.now()` stands still while a host is suspended, and `Date.now()` does not, or is set
 * afterwards. If they have come apart, the time that passed is not known, and there is no answer.
 * Neither tells of a suspended virtual machine until its clock is set.
 */
export function databaseClock(atMs: string | number): DatabaseClock {
  const heardAt = performance.now()
  const hostAt = Date.now()
  return () => {
    const passedMs = performance.now() - heardAt
    const apartMs = Math.abs(Date.now() - hostAt - passedMs)
    return apartMs > MOST_APART_MS ? undefined : new Date(Number(atMs) + passedMs)
  }
}

/** More than an NTP client changes a clock by without a step. */
const MOST_APART_MS = 1_000
