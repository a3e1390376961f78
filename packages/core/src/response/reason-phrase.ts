import type { HeaderChange, PlainResponse } from '../stored-response.ts'

/**
 * Stores keep status, headers and body. A reason phrase of the handler's own travels among the
 * headers, last, under a name that an older release beside this one would merely send.
 */
const NAME = 'oncekey-reason-phrase'

/** The headers as they are stored. */
export function withReasonPhrase({
  headers,
  reason,
}: Pick<PlainResponse, 'headers' | 'reason'>): readonly HeaderChange[] {
  return reason ? [...headers, [NAME, reason]] : headers
}

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
