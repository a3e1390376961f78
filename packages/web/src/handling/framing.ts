import { framingHeaders } from '@oncekey/core'

/**
 * Takes off what a handler, or the upstream it hands on, says of the message: the runtime
 * frames it. A length stays only where it is all that there is of a body, in an answer to HEAD.
 */
export function frameAnew(headers: Headers, before: Headers, method: string): void {
  for (const name of framingHeaders) {
    const outside = before.get(name)
    if (outside === null) headers.delete(name)
    else headers.set(name, outside)
  }
  if (method !== 'HEAD') headers.delete('content-length')
}
