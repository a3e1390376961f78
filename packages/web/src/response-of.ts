import type { PlainResponse } from '@oncekey/core'

/** A replay or a problem, as a response. Headers that were set before stay, unless it changes them. */
export function responseOf({ status, headers, body }: PlainResponse, before: Headers): Response {
  const lines = new Headers(before)
  const written = new Set<string>()
  for (const [name, value] of headers) {
    if (value === null) lines.delete(name)
    else if (written.has(name)) lines.append(name, value)
    else lines.set(name, value)
    written.add(name)
  }
  return new Response(isBodiless(status) ? null : new Uint8Array(body), { status, headers: lines })
}

/** Statuses that a Response must not have a body with. */
export function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 205 || status === 304
}
