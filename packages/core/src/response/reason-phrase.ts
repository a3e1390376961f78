import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import { OptionsError } from '../errors/errors.ts'

/**
 * Stores keep status, headers and body. A handler's own reason phrase is stored as the last header,
 * under a name that an older release running beside this one would simply send.
 */
const NAME = 'oncekey-reason-phrase'

/**
 * The headers to store, with the reason phrase among them. Throws if `redact` made a phrase that
 * cannot be sent.
 */
export function withReasonPhrase({
  headers,
  reason,
}: Pick<PlainResponse, 'headers' | 'reason'>): readonly HeaderChange[] {
  if (!reason) return headers
  if (!SENDABLE.test(reason)) {
    throw new OptionsError('redact() must leave `reason` as it was, change it to text, or drop it.')
  }
  return [...headers, [NAME, reason]]
}

/** RFC 9112 section 4; beyond ASCII a character is a byte. */
const SENDABLE = /^[\t\x20-\x7e\x80-\xff]+$/

/** The stored response with its reason phrase taken out of the headers again. */
export function takeReasonPhrase(response: PlainResponse): PlainResponse {
  const [name, value] = response.headers.at(-1) ?? []
  if (name !== NAME) return response
  return { ...response, headers: response.headers.slice(0, -1), reason: value ?? '' }
}

/**
 * Whether a handler's header would be mistaken for the reason phrase; such a header is not stored.
 */
export function isReasonPhrase(name: string): boolean {
  return name === NAME
}
