import type { ServerResponse } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import { isHttp2, unsetHeader } from '../internals/internals.ts'
import { isWithoutBody } from './without-body.ts'

/** Writes a replay or a problem. Headers that were set before the middleware stay, unless it changes them. */
export function writeResponse(res: ServerResponse, response: PlainResponse): void {
  const written = new Set<string>()
  for (const [name, value, how] of response.headers) {
    if (value === null) res.removeHeader(name)
    else if (how === 'added' || written.has(name)) res.appendHeader(name, value)
    else res.setHeader(name, value)
    written.add(name)
  }
  res.statusCode = response.status
  if (response.reason !== undefined && !isHttp2(res)) res.statusMessage = response.reason
  if (res.hasHeader('transfer-encoding')) unsetHeader(res, 'transfer-encoding')
  // RFC 9110 section 8.6: not sent with 204 and 304. Said elsewhere, or Node would send it chunked;
  // in answer to HEAD it is the first response's own, or none.
  if (!isWithoutBody(res, response.status)) res.setHeader('content-length', response.body.length)
  // Apart from `end`, or Node would take it for text and spoil a Content-Disposition beyond ASCII.
  if (response.body.length > 0) res.write(response.body)
  res.end()
}
