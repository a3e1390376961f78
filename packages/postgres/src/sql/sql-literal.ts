import type { SqlValue } from './sql-client.ts'

/**
 * A value as a literal of PostgreSQL, which the statement's text has to cast. It is right whatever
 * `standard_conforming_strings` is, because a text with a backslash is written as E'…', with the
 * backslash doubled. And it is right whatever `client_encoding` is: the server converts a whole
 * message before it looks at its first statement, so a RESET in front of a literal comes too late.
 * What is not ASCII is therefore written as an escape, in UTF-16, which the server decodes itself.
 */
export function sqlLiteral(value: SqlValue): string {
  if (value === null) return 'null'
  if (typeof value === 'object') return `E'\\\\x${Buffer.from(value).toString('hex')}'`
  const text = String(value).replaceAll("'", "''")
  // A NUL would end the message to the server, and PostgreSQL cannot store it either.
  if (text.includes('\0')) throw new TypeError('A string with a NUL cannot be sent to PostgreSQL.')
  if (!ESCAPED.test(text)) return `'${text}'`
  const ascii = text.toWellFormed().replaceAll('\\', '\\\\').replace(NOT_ASCII, escaped)
  return ` E'${ascii}'`
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const ESCAPED = /[\\\x80-\uffff]/
const NOT_ASCII = /[\x80-\uffff]/g
