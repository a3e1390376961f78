/**
 * Whether PostgreSQL keeps a value unchanged: text of at most 1,000 characters, well-formed, no
 * NUL.
 */
export function isKeptText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 1_000 &&
    !value.includes('\0') &&
    value.isWellFormed()
  )
}

/** A message as PostgreSQL can keep it, cut to what anybody reads. */
export function keptText(text: string): string {
  return text.replaceAll('\0', '').slice(0, 500).toWellFormed()
}
