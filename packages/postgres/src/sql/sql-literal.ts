import type { SqlValue } from './sql-client.ts'

/**
 * A value as a literal of PostgreSQL, to be cast where it stands. Right whatever
 * `standard_conforming_strings` is: a backslash only ever stands in the E'…' form, where it is
 * doubled. Quotes and backslashes are the only characters that mean anything inside of either,
 * since the encoding is UTF-8, in which neither is a part of another character.
 */
export function sqlLiteral(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'object') return `E'\\\\x${Buffer.from(value).toString('hex')}'`
  const text = String(value).replaceAll("'", "''")
  // A NUL would end the message to the server, and PostgreSQL cannot store it either.
  if (text.includes('\0')) throw new TypeError('A string with a NUL cannot be sent to PostgreSQL.')
  return text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\')}'` : `'${text}'`
}
