import type { HeaderChange } from '@oncekey/core'
import { checkHead } from '../internals/http2-head.ts'
import { isSame } from '../response/response-headers.ts'
import type { Capture, HeaderList } from './capture.ts'

/**
 * Records the headers when the head is written; later changes are not part of the response. Throws
 * what Node would throw, before anything is recorded.
 */
export function freezeHeaders(capture: Capture): void {
  const { before } = capture
  const after = capture.res.getHeaders()
  checkHead(capture.res, after)
  if (BEYOND_ASCII.test(capture.reason)) capture.beyondAscii = true
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
