/**
 * When the next portion of a redrive is due. No portion is further ahead than its rate makes it, so
 * one that is was set before the clock was put back, and is due now.
 */
export function dueAt(redrive: string): string {
  const furthest = `clock_timestamp()
            + (10 + 1 / greatest(${redrive}.rate, 1e-6)) * interval '1 second'`
  return `case when ${redrive}.next_at > ${furthest} then clock_timestamp() else ${redrive}.next_at end`
}
