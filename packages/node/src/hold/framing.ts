import type { ServerResponse } from 'node:http'
import { closesConnection, isFraming } from '@oncekey/core'
import { unsetHeader } from '../internals/internals.ts'
import { isWithoutBody } from '../response/without-body.ts'
import type { Capture } from './capture.ts'

/**
 * Removes the handler's framing headers. They may come from an upstream and describe its message;
 * Node frames what is sent here, and a length is recomputed. Only `Connection: close` stays.
 */
export function frameAnew(capture: Capture): void {
  const { res, headers, size, status, whole, beyondAscii } = capture
  const response: ServerResponse = res
  for (const [name, value] of headers) {
    if (value !== null && isFraming(name)) unframe(capture, name)
  }
  if (status === 204 || status === 304) unsetHeader(response, 'content-length')
  else if (isWithoutBody(response, status)) return
  // Node computes the length of a body given to `end`, but not of one written before it.
  else if (response.hasHeader('content-length') || (whole !== undefined && beyondAscii)) {
    // Set last. If Content-Disposition came after it, Node would re-encode that header.
    if (beyondAscii) unsetHeader(response, 'content-length')
    response.setHeader('content-length', size)
  }
}

function unframe({ res, before, whole, size }: Capture, name: string): void {
  const response: ServerResponse = res
  const isChunked = whole === undefined && size > 0 && !response.hasHeader('content-length')
  // Announces the trailers given to `addTrailers`, which Node sends only with chunked encoding.
  if (name === 'trailer' && isChunked) return
  if (name === 'connection' && closesConnection(response.getHeader(name))) {
    response.setHeader(name, 'close')
    return
  }
  const outside = before[name]
  if (outside === undefined) unsetHeader(response, name)
  else response.setHeader(name, outside)
}
