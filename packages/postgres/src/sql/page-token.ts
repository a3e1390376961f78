import { OptionsError } from '@oncekey/core'

/** Makes the `next` of a page: where the page ended, as one opaque word. */
export function pageToken(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/**
 * Reads the parts of a token. `lengths` are the numbers of parts that the caller accepts. Throws
 * `OptionsError`.
 */
export function partsOfToken(verb: string, token: string, lengths: readonly number[]): string[] {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch {
    parts = undefined
  }
  const isPlace =
    Array.isArray(parts) &&
    lengths.includes(parts.length) &&
    parts.every((part) => typeof part === 'string')
  if (isPlace) return parts as string[]
  throw new OptionsError(`${verb}: \`after\` must be the \`next\` of a page of the same list.`)
}
