/**
 * When the next portion of a redrive is due. The rate limits how far ahead that can be. A time
 * further ahead was set before the clock was put back, so the portion is due at once.
 */
export function dueAt(redrive: string): string {
  const furthest = `clock_timestamp()
            + (10 + 1 / greatest(${redrive}.rate, 1e-6)) * interval '1 second'`
  return `case when ${redrive}.next_at > ${furthest} then clock_timestamp() else ${redrive}.next_at end`
}
