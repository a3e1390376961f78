import { OptionsError } from '../errors.ts'
import type { HeaderChange, PlainResponse } from '../stored-response.ts'

/**
 * Stores keep status, headers and body. A reason phrase of the handler's own travels among the
 * headers, last, under a name that an older release beside this one would merely send.
 */
const NAME = 'oncekey-reason-phrase'

/** The headers as they are stored. Throws where `redact` made a phrase that could never be sent. */
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

/** The response as it was, its reason phrase apart from the headers again. */
export function takeReasonPhrase(response: PlainResponse): PlainResponse {
  const [name, value] = response.headers.at(-1) ?? []
  if (name !== NAME) return response
  return { ...response, headers: response.headers.slice(0, -1), reason: value ?? '' }
}

/** Whether a handler's header would be taken for a reason phrase; it is not stored. */
export function isReasonPhrase(name: string): boolean {
  return name === NAME
}
