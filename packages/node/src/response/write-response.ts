import type { ServerResponse } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import { sendableLines } from '../internals/http2-head.ts'
import { isHttp2, unsetHeader } from '../internals/internals.ts'
import { copiedHeaders, restoreHeaders } from './response-headers.ts'
import { isWithoutBody } from './without-body.ts'

/**
 * Writes a replay or a problem. Headers set before the middleware stay, unless the answer replaces
 * them. If Node cannot send the answer, this throws, with the response as it was: the app's error
 * handling can answer with it.
 */
export function writeResponse(res: ServerResponse, response: PlainResponse): void {
  const before = copiedHeaders(res)
  const { statusCode } = res
  try {
    write(res, response)
  } catch (error) {
    if (res.headersSent) throw error
    restoreHeaders(res, before)
    res.statusCode = statusCode
    if (!isHttp2(res)) res.statusMessage = ''
    throw error
  }
}

function write(res: ServerResponse, response: PlainResponse): void {
  setHeaders(res, response)
  res.statusCode = response.status
  if (response.reason !== undefined && !isHttp2(res)) res.statusMessage = response.reason
  if (res.hasHeader('transfer-encoding')) unsetHeader(res, 'transfer-encoding')
  // The length is omitted with 204 and 304 (RFC 9110 section 8.6). Otherwise it is set explicitly,
  // because Node would use chunks. To HEAD, the replay has the first response's own length, if any.
  if (!isWithoutBody(res, response.status)) {
    res.setHeader('content-length', response.body.length)
    // Written apart from `end`, because Node would treat it as text and corrupt a non-ASCII
    // Content-Disposition. A server may be set to throw where there is no body.
    if (response.body.length > 0) res.write(response.body)
  }
  res.end()
}

function setHeaders(res: ServerResponse, { headers }: PlainResponse): void {
  const written = new Set<string>()
  for (const [name, value, how] of headers) {
    if (value === null) res.removeHeader(name)
    else if (how === 'added' || written.has(name)) res.appendHeader(name, value)
    else res.setHeader(name, value)
    written.add(name)
  }
  if (!isHttp2(res)) return
  for (const name of written) {
    const lines = [res.getHeader(name) ?? []].flat().map(String)
    const sendable = sendableLines(res, name, lines)
    if (sendable.length === 0) res.removeHeader(name)
    else if (sendable.length !== lines.length) res.setHeader(name, sendable)
  }
}
