import { OptionsError } from '../errors/errors.ts'

/**
 * One change that a handler made to the response's headers: a line that it set or, with `null`, a
 * header that was set before the handler and that the handler removed. A header with several values
 * is several changes. Values are bytes, one character each, as in Node and fetch. An `added` line
 * goes beside lines of that name that are already set; only Oncekey makes it, for a body that it
 * decoded.
 */
export type HeaderChange = readonly [name: string, value: string | null, how?: 'added']

/** A response as plain data: from a handler, a replay or a problem. */
export interface PlainResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /** The bytes as they are sent, in the coding that `Content-Encoding` names. */
  readonly body: Uint8Array
  /**
   * The reason phrase, where it differs from the status's standard one and the protocol has one
   * (HTTP/1.1).
   */
  readonly reason?: string | undefined
}

/** A response as a store keeps it. Opaque to the store, which returns it byte for byte. */
export interface StoredResponse {
  readonly status: number
  readonly headers: readonly HeaderChange[]
  /**
   * `null`: the request is done, but its body was not kept (streamed, or over `maxResponseBytes`).
   */
  readonly body: Uint8Array | null
  /** The id of the key that headers and body are sealed with; `null` when they are in the clear. */
  readonly seal: string | null
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
export function faultOfHead(given: unknown): string | undefined {
  const { status, headers } = (given ?? {}) as Partial<PlainResponse>
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    return '`status` is a whole number from 200 to 599'
  }
  if (!Array.isArray(headers) || !headers.every(Array.isArray)) {
    return '`headers` is a list of [name, value]'
  }
  for (const line of headers) {
    if (!isHeaderChange(line)) {
      // Without its value, which may be a cookie or a token.
      return `every line of \`headers\` can be sent; ${JSON.stringify(line[0])} cannot`
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
