import { framingHeaders } from '@oncekey/core'

/**
 * The headers without what a handler, or the upstream it hands on, says of the message: the runtime
 * frames it. A length stays only where it is all that there is of a body, in an answer to HEAD.
 */
export function framedAnew(headers: Headers, before: Headers, method: string): Headers {
  const framed = new Headers(headers)
  for (const name of framingHeaders) {
    const outside = before.get(name)
    if (outside === null) framed.delete(name)
    else framed.set(name, outside)
  }
  if (method !== 'HEAD') framed.delete('content-length')
  return framed
}
