import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { closesConnection } from '@oncekey/core'
import { unsetHeader } from '../internals/internals.ts'

/** The current headers. Arrays are copied, because `appendHeader` changes them in place. */
export function copiedHeaders(res: ServerResponse): OutgoingHttpHeaders {
  const headers = res.getHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = [...value]
  }
  return headers
}

/**
 * Reverts every header change since `before`, except that a connection that was to be closed after
 * the response still is: a server that shuts down sets that on the responses under way.
 */
export function restoreHeaders(res: ServerResponse, before: OutgoingHttpHeaders): void {
  const closes = closesConnection(res.getHeader('connection'))
  for (const name of res.getHeaderNames()) {
    if (before[name] === undefined) unsetHeader(res, name)
  }
  for (const [name, value] of Object.entries(before)) {
    if (value !== undefined && !isSame(res.getHeader(name), value)) res.setHeader(name, value)
  }
  if (closes) res.setHeader('connection', 'close')
}

type Value = OutgoingHttpHeaders[string]

/** Whether Node would send the same lines for two values of a header. */
export function isSame(one: Value, other: Value): boolean {
  if (one === other && !Array.isArray(one)) return true
  if (one === undefined || other === undefined) return false
  if (!Array.isArray(one) || !Array.isArray(other)) {
    return !Array.isArray(one) && !Array.isArray(other) && String(one) === String(other)
  }
  return one.length === other.length && one.every((line, at) => String(line) === String(other[at]))
}
