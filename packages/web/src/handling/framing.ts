import { closesConnection, framingHeaders } from '@oncekey/core'

/**
 * Removes framing headers of the handler or of its upstream, because the runtime frames the
 * message. A length stays only in a response to HEAD, which has no body, and `Connection: close` is
 * always right.
 */
export function frameAnew(headers: Headers, before: Headers, method: string): void {
  const closes = closesConnection(headers.get('connection'))
  for (const name of framingHeaders) {
    const outside = before.get(name)
    if (outside === null) headers.delete(name)
    else headers.set(name, outside)
  }
  if (closes) headers.set('connection', 'close')
  if (method !== 'HEAD') headers.delete('content-length')
}
