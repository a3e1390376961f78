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
  return ` E'${escaped(text.toWellFormed().replaceAll('\\', '\\\\'))}'`
}

/**
 * Written byte by byte, and a long text in pieces: a replacement that calls a function for each
 * character took half a second for a million, and V8 ends the process if it has some 70 million.
 */
function escaped(text: string): string {
  let ascii = ''
  for (let at = 0; at < text.length; at += PIECE) ascii += escapedPiece(text.slice(at, at + PIECE))
  return ascii
}

function escapedPiece(text: string): string {
  const bytes = Buffer.allocUnsafe(LONGEST * text.length)
  let to = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) {
      bytes[to++] = unit
      continue
    }
    bytes[to++] = BACKSLASH
    bytes[to++] = U
    for (let shift = 12; shift >= 0; shift -= 4) bytes[to++] = HEX[(unit >> shift) & 15] as number
  }
  return bytes.toString('latin1', 0, to)
}

const ESCAPED = /[\\\x80-\uffff]/
const PIECE = 65_536
/** The length of an escape, \u00e9. */
const LONGEST = 6
const [BACKSLASH = 0, U = 0] = Buffer.from('\\u')
const HEX = Buffer.from('0123456789abcdef')
