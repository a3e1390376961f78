import { faultOfHead, type PlainResponse } from '../contracts/stored-response.ts'
import { returnedWrongly } from '../options/call-option.ts'

/**
 * Checks a response that a function of the app made or changed, before it is stored: the status and
 * header lines must be sendable, and the body must be bytes. A stored response that cannot be sent
 * would fail on every retry.
 */
export function checkedResponse(
  option: string,
  given: unknown,
  must: string,
  returned: unknown,
): PlainResponse {
  const { body } = (given ?? {}) as Partial<PlainResponse>
  const fault = faultOfHead(given) ?? (body instanceof Uint8Array ? undefined : '`body` is bytes')
  if (fault !== undefined) throw returnedWrongly(option, returned, `${must}, where ${fault}`)
  return given as PlainResponse
}
