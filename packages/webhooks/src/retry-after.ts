/**
 * What a `Retry-After` header asks for, in milliseconds from now (RFC 9110 section 10.2.3): seconds or
 * a date, at most `mostMs`. Zero for what is past, missing, said twice, or makes no sense.
 */
export function retryAfterMs(
  value: string | readonly string[] | undefined,
  mostMs: number,
  now: number = Date.now(),
): number {
  if (typeof value !== 'string') return 0
  const text = value.trim()
  const asked = /^\d+$/.test(text) ? Number(text) * 1_000 : untilDate(text, now)
  return Math.min(Math.max(asked, 0), mostMs)
}

/** Only HTTP's own form: `Date.parse` reads nearly anything, `-5` and `tomorrow 7` too. */
function untilDate(text: string, now: number): number {
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return 0
  const date = Date.parse(text)
  return Number.isNaN(date) ? 0 : date - now
}
