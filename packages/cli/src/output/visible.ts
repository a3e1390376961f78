/**
 * Makes foreign text safe for a terminal. Characters that could control the terminal, or make a
 * line look like another, are written as escapes: escape sequences, other control characters, line
 * ends, characters that change the direction of writing, and characters without a width.
 */
export function visible(text: string): string {
  return text.replaceAll(UNSAFE, written)
}

/** As `visible`, for text of several lines: line ends and tabs are kept. */
export function visibleBlock(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(UNSAFE, (character) =>
      character === '\n' || character === '\t' ? character : written(character),
    )
}

/**
 * Escapes these characters in JSON. The JSON means the same, and cannot control a terminal. Line
 * ends and tabs are white space between values, where an escape would be a syntax error.
 */
export function visibleJson(json: string): string {
  return json
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(UNSAFE, (character) =>
      character === '\n' || character === '\t' ? character : escapedUnits(character),
    )
}

function written(character: string): string {
  const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  const code = character.codePointAt(0) ?? 0
  return short[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`)
}

function escapedUnits(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${hex(character.charCodeAt(index), 4)}`)
    .join('')
}

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0')

/**
 * Control characters, format characters (bidirectional marks, joiners, tags), lone surrogates, line
 * and paragraph separators.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu
