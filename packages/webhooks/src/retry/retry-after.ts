/**
 * The wait that a `Retry-After` header asks for, in milliseconds from now (RFC 9110 section
 * 10.2.3): seconds or a date, at most `mostMs`. Zero if the header is missing, repeated, malformed
 * or past.
 *
 * A date is compared with `date`, the answer's own `Date` header, because this host's clock may
 * differ from the receiver's. Without that header this host's clock is used.
 */
export function retryAfterMs(
  value: string | readonly string[] | undefined,
  mostMs: number,
  date?: string | readonly string[],
): number {
  if (typeof value !== 'string') return 0
  const text = value.trim()
  const asked = /^\d+$/.test(text) ? Number(text) * 1_000 : untilDate(text, date)
  return Math.min(Math.max(asked, 0), mostMs)
}

function untilDate(text: string, date: string | readonly string[] | undefined): number {
  const now = (typeof date === 'string' ? millisecondsOf(date) : undefined) ?? Date.now()
  return (millisecondsOf(text) ?? now) - now
}

/**
 * Accepts only HTTP's date format. `Date.parse` would accept nearly anything, even `-5` and
 * `tomorrow 7`.
 */
function millisecondsOf(text: string): number | undefined {
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : date
}
