import { parseItem } from 'structured-headers'

const MAX_LENGTH = 255

/** What was read from the header: the key, nothing, or why it is not a valid key. */
export type KeyReading =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'invalid'; readonly reason: string }

/**
 * Reads a key from the lines of its header.
 *
 * draft-ietf-httpapi-idempotency-key-header-07 section 2.1 makes it a structured-field string,
 * `"abc"`; most clients send it bare, `abc`. Both are the same key; parameters after the quoted
 * form are ignored. With `strict` the bare form is refused.
 */
export function readKey(lines: readonly string[], strict: boolean): KeyReading {
  const [line, second] = lines
  if (line === undefined) return { kind: 'missing' }
  if (second !== undefined) return invalid('the header was sent more than once')

  // Checked before trim(), which would also remove a no-break space.
  if (!/^[\t\x20-\x7e]*$/.test(line)) return invalid(NOT_PRINTABLE)
  const value = line.trim()
  if (value.startsWith('"')) return quotedKey(value)
  if (strict) return invalid('it must be a quoted string, "…"')
  if (value.includes(',')) return invalid('it is a list; send one key')
  return checkedKey(value)
}

/** Whether a text can be a key: 1 to 255 printable ASCII characters. */
export function checkedKey(key: string): KeyReading {
  if (key === '') return invalid('it is empty')
  if (key.length > MAX_LENGTH) return invalid(`it is longer than ${MAX_LENGTH} characters`)
  if (!/^[\x20-\x7e]+$/.test(key)) return invalid(NOT_PRINTABLE)
  return { kind: 'key', key }
}

const NOT_PRINTABLE = 'it has characters other than printable ASCII'

function quotedKey(value: string): KeyReading {
  try {
    const [key] = parseItem(value)
    return checkedKey(key as string)
  } catch {
    return invalid('it starts like a quoted string but is not one')
  }
}

function invalid(reason: string): KeyReading {
  return { kind: 'invalid', reason }
}
