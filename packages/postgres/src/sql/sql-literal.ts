import type { SqlValue } from './sql-client.ts'

/**
 * A value as a literal of PostgreSQL, which the statement's text has to cast. It is right whatever
 * `standard_conforming_strings` is: a text with a backslash is written as E'…', with the backslash
 * doubled. Only quotes and backslashes have a meaning inside a literal, and in UTF-8 neither byte
 * is part of another character.
 */
export function sqlLiteral(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'object') return `E'\\\\x${Buffer.from(value).toString('hex')}'`
  const text = String(value).replaceAll("'", "''")
  // A NUL would end the message to the server, and PostgreSQL cannot store it either.
  if (text.includes('\0')) throw new TypeError('A string with a NUL cannot be sent to PostgreSQL.')
  return text.includes('\\') ? ` E'${text.replaceAll('\\', '\\\\')}'` : `'${text}'`
}
