import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
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
  const { status, headers, body } = (given ?? {}) as Partial<PlainResponse>
  const wrong = (what: string) => returnedWrongly(option, returned, `${must}, where ${what}`)
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    throw wrong('`status` is a whole number from 200 to 599')
  }
  if (!Array.isArray(headers)) throw wrong('`headers` is a list of [name, value]')
  for (const line of headers) {
    if (!isHeaderChange(line)) {
      throw wrong(`\`headers\` has a line that cannot be sent, ${JSON.stringify(line)}`)
    }
  }
  if (!(body instanceof Uint8Array)) throw wrong('`body` is bytes')
  return given as PlainResponse
}

/** RFC 9110 section 5.5; a character beyond ASCII stands for one byte. */
function isHeaderChange(line: unknown): line is HeaderChange {
  if (!Array.isArray(line)) return false
  const [name, value] = line
  if (typeof name !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) return false
  return value === null || (typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value))
}
