import { framingHeaders } from '@oncekey/core'

/**
 * Removes framing headers of the handler or of its upstream, because the runtime frames the
 * message. A length stays only in a response to HEAD, which has no body.
 */
export function frameAnew(headers: Headers, before: Headers, method: string): void {
  for (const name of framingHeaders) {
    const outside = before.get(name)
    if (outside === null) headers.delete(name)
    else headers.set(name, outside)
  }
  if (method !== 'HEAD') headers.delete('content-length')
}
