import type { PlainResponse } from '@oncekey/core'

/** A replay or a problem, as a response. */
export function responseOf({ status, headers, body }: PlainResponse): Response {
  const lines = new Headers()
  for (const [name, value] of headers) if (value !== null) lines.append(name, value)
  return new Response(isBodiless(status) ? null : new Uint8Array(body), { status, headers: lines })
}

/** Statuses that a Response must not have a body with. */
export function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 205 || status === 304
}
