import type { ServerResponse } from 'node:http'
import { isFraming } from '@oncekey/core'
import { unsetHeader } from '../internals/internals.ts'
import { isWithoutBody } from '../response/without-body.ts'
import type { Capture } from './capture.ts'

/**
 * Takes off the response what the handler said of the message that it is sent as: where it came from
 * an upstream, it is about another one. Node frames what is sent, and a length is the one there is.
 */
export function frameAnew(capture: Capture): void {
  const { res, headers, size, status, whole, beyondAscii } = capture
  const response: ServerResponse = res
  for (const [name, value] of headers) {
    if (value !== null && isFraming(name)) unframe(capture, name)
  }
  if (status === 204 || status === 304) unsetHeader(response, 'content-length')
  else if (isWithoutBody(response, status)) return
  // Node tells the length of what it is given at once, but not of what is written apart from the end.
  else if (response.hasHeader('content-length') || (whole !== undefined && beyondAscii)) {
    // Last, or Node recodes a Content-Disposition that comes after it.
    if (beyondAscii) unsetHeader(response, 'content-length')
    response.setHeader('content-length', size)
  }
}

function unframe({ res, before, whole, size }: Capture, name: string): void {
  const response: ServerResponse = res
  const isChunked = whole === undefined && size > 0 && !response.hasHeader('content-length')
  // Announces what `addTrailers` was given; only in chunks do trailers leave at all.
  if (name === 'trailer' && isChunked) return
  const outside = before[name]
  if (outside === undefined) unsetHeader(response, name)
  else response.setHeader(name, outside)
}
