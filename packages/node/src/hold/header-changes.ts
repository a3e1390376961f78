import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { closesConnection, type HeaderChange } from '@oncekey/core'
import { checkHead } from '../internals/http2-head.ts'
import { unsetHeader } from '../internals/internals.ts'
import type { Capture, HeaderList } from './capture.ts'

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
 * Records the headers when the head is written; later changes are not part of the response. Throws
 * what Node would throw, before anything is recorded.
 */
export function freezeHeaders(capture: Capture): void {
  const { before } = capture
  const after = capture.res.getHeaders()
  checkHead(capture.res, after)
  const changes: HeaderChange[] = []
  let lists: HeaderList[] | undefined
  for (const name in after) {
    const value = after[name]
    const list = Array.isArray(value) ? value.map(String) : undefined
    if (BEYOND_ASCII.test(String(value))) capture.beyondAscii = true
    if (list !== undefined) {
      lists ??= []
      lists.push([name, list])
    }
    if (isSame(before[name], value)) continue
    if (list === undefined) changes.push([name, String(value)])
    // Node sends nothing for an empty list.
    else if (list.length === 0) changes.push([name, null])
    else for (const line of list) changes.push([name, line])
  }
  for (const name in before) {
    if (after[name] === undefined) changes.push([name, null])
  }
  capture.headers = changes
  if (lists !== undefined) capture.lists = lists
}

const BEYOND_ASCII = /[\x80-\xff]/

/** Restores arrays that were changed in place after the head was written. */
export function restoreLists({ res, lists }: Capture): void {
  for (const [name, values] of lists) {
    if (isSame(res.getHeader(name), values as string[])) continue
    res.setHeader(name, values)
  }
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

function isSame(one: Value, other: Value): boolean {
  if (one === other && !Array.isArray(one)) return true
  if (one === undefined || other === undefined) return false
  if (!Array.isArray(one) || !Array.isArray(other)) {
    return !Array.isArray(one) && !Array.isArray(other) && String(one) === String(other)
  }
  return one.length === other.length && one.every((line, at) => String(line) === String(other[at]))
}
