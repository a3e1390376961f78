import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { isHttp2, takesSeveralValues } from './internals.ts'

/**
 * Throws what `node:http2` throws about a head that it cannot send. Node says so only when it sends
 * the head, which is too late for a response that is on record by then.
 */
export function checkHead(res: ServerResponse, headers: OutgoingHttpHeaders): void {
  if (!isHttp2(res)) return
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue
    if (CONNECTION_SPECIFIC.has(name)) {
      throw headError(
        'ERR_HTTP2_INVALID_CONNECTION_HEADERS',
        `HTTP/1 Connection specific headers are forbidden: "${name}"`,
      )
    }
    if (Array.isArray(value) && value.length > 1 && isSingle(res, name)) {
      throw headError(
        'ERR_HTTP2_HEADER_SINGLE_VALUE',
        `Header field "${name}" must only have a single value`,
      )
    }
  }
}

/**
 * The lines of a header of an answer that may have been recorded over HTTP/1, as this response can
 * carry them. Lines are joined, which is what a client of HTTP/1 does with them.
 */
export function sendableLines(
  res: ServerResponse,
  name: string,
  lines: readonly string[],
): readonly string[] {
  if (!isHttp2(res)) return lines
  if (CONNECTION_SPECIFIC.has(name)) return []
  return lines.length > 1 && isSingle(res, name) ? [lines.join(', ')] : lines
}

function isSingle(res: ServerResponse, name: string): boolean {
  return SINGLE.has(name) && !takesSeveralValues(res)
}

function headError(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code })
}

/** Beside the framing headers, which every buffered answer is sent without. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set(['upgrade', 'http2-settings'])

/** The response headers of which Node sends one value, unless `strictSingleValueFields` is off. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
])
