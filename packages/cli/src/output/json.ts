import { visibleJson } from './visible.ts'

/**
 * A value as JSON: times in UTC, bytes in base64. To include a text that already is JSON, wrap it
 * in {@link jsonValue}.
 */
export function json(value: unknown, indent: number | undefined): string {
  return visibleJson(JSON.stringify(value, replacer, indent))
}

/**
 * Parses JSON text. Integers above 2^53 become strings, because no number can hold them. A text
 * that is not JSON is returned unchanged.
 */
export function jsonValue(text: string): unknown {
  try {
    // Parsed first, because the search below takes minutes if a string in the text has no end.
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
  // JSON.stringify has already called the Buffer's `toJSON`.
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

/** Matches a string, which is skipped, or a number. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
