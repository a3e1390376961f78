/**
 * Whether PostgreSQL can store a value unchanged: it is a text of at most 1,000 characters,
 * well-formed and without NUL.
 */
export function isKeptText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= 1_000 &&
    !value.includes('\0') &&
    value.isWellFormed()
  )
}

/** Makes a message that PostgreSQL can store, cut to a length that people read. */
export function keptText(text: string): string {
  return text.replaceAll('\0', '').slice(0, 500).toWellFormed()
}
