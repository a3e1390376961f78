import type { ServerResponse } from 'node:http'
import type { PlainResponse } from '@oncekey/core'

/** Writes a replay or a problem. Headers that were set before the middleware stay, unless it changes them. */
export function writeResponse(res: ServerResponse, response: PlainResponse): void {
  const written = new Set<string>()
  for (const [name, value] of response.headers) {
    if (value === null) res.removeHeader(name)
    else if (written.has(name)) res.appendHeader(name, value)
    else res.setHeader(name, value)
    written.add(name)
  }
  res.statusCode = response.status
  // RFC 9110 section 8.6: not sent with these two. Said elsewhere, or Node would send it chunked.
  if (response.status !== 204 && response.status !== 304) {
    res.setHeader('content-length', response.body.length)
  }
  // Apart from `end`, or Node would take it for text and spoil a Content-Disposition beyond ASCII.
  if (response.body.length > 0) res.write(response.body)
  res.end()
}
