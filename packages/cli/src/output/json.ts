import { visibleJson } from './visible.ts'

/**
 * A value as JSON: times in UTC, bytes in base64. What is text in it already and holds JSON is put
 * in with {@link jsonValue}.
 */
export function json(value: unknown, indent: number | undefined): string {
  return visibleJson(JSON.stringify(value, replacer, indent))
}

/**
 * JSON text as a value whose integers beyond 2^53 are strings, because no number can hold them;
 * text that is no JSON as it is.
 */
export function jsonValue(text: string): unknown {
  try {
    // Parsed first, because the search takes minutes in text whose strings do not end.
    JSON.parse(text)
    return JSON.parse(text.replaceAll(TOKEN, exact))
  } catch {
    return text
  }
}

function exact(token: string): string {
  if (!/^-?\d+$/.test(token) || Number.isSafeInteger(Number(token))) return token
  return `"${token}"`
}

function replacer(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Map) return Object.fromEntries(value)
  // JSON.stringify has already called the Buffer's own toJSON.
  if (isBufferJson(value)) return Buffer.from(value.data).toString('base64')
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

function isBufferJson(value: unknown): value is { readonly data: number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { type?: unknown }).type === 'Buffer' &&
    Array.isArray((value as { data?: unknown }).data)
  )
}

/** A string, which is passed over, or a number. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
