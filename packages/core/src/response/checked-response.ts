import type { HeaderChange, PlainResponse, StoredResponse } from '../contracts/stored-response.ts'
import { OptionsError } from '../errors/errors.ts'
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

/**
 * Checks a response with which an operator finishes a key, before it is stored. Throws
 * {@link OptionsError}.
 */
export function checkedAnswer(given: StoredResponse): StoredResponse {
  const { body } = (given ?? {}) as Partial<StoredResponse>
  const isKept = body === null || body instanceof Uint8Array
  const fault = faultOfHead(given) ?? (isKept ? undefined : '`body` is bytes or null')
  if (fault === undefined) return given
  throw new OptionsError(`keys.answer: the response must be one that can be sent, where ${fault}.`)
}

/** What is wrong with the status or the headers, as the words for what they must be. */
function faultOfHead(given: unknown): string | undefined {
  const { status, headers } = (given ?? {}) as Partial<PlainResponse>
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    return '`status` is a whole number from 200 to 599'
  }
  if (!Array.isArray(headers)) return '`headers` is a list of [name, value]'
  for (const line of headers) {
    if (!isHeaderChange(line)) {
      return `no line of \`headers\` is one that cannot be sent, such as ${JSON.stringify(line)}`
    }
  }
  return undefined
}

/** RFC 9110 section 5.5; a character beyond ASCII stands for one byte. */
function isHeaderChange(line: unknown): line is HeaderChange {
  if (!Array.isArray(line)) return false
  const [name, value] = line
  if (typeof name !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) return false
  return value === null || (typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value))
}
