import type { PlainResponse } from '@oncekey/core'

/**
 * Builds the response for a replay or a problem. Headers set before stay, unless the answer
 * replaces them.
 */
export function responseOf(
  { status, headers, body, reason }: PlainResponse,
  before: Headers,
): Response {
  const lines = new Headers(before)
  // These headers describe how another message was framed; the runtime frames this one itself.
  for (const name of ['content-length', 'transfer-encoding']) lines.delete(name)
  const written = new Set<string>()
  for (const [name, value, how] of headers) {
    if (value === null) lines.delete(name)
    else if (how === 'added' || written.has(name)) lines.append(name, value)
    else lines.set(name, value)
    written.add(name)
  }
  const isEmpty = isBodiless(status) || body.length === 0
  return new Response(isEmpty ? null : new Uint8Array(body), {
    status,
    headers: lines,
    ...(reason !== undefined && { statusText: reason }),
  })
}

/** Statuses whose Response must not have a body. */
export function isBodiless(status: number): boolean {
  return status < 200 || status === 204 || status === 205 || status === 304
}
