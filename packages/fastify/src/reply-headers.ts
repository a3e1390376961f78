import type { OutgoingHttpHeader } from 'node:http'
import type { HeaderChange } from '@oncekey/core'
import type { FastifyReply } from 'fastify'

/** A reply's headers at one moment, by their lower-case names. */
export type ReplyHeaders = Readonly<Record<string, OutgoingHttpHeader | undefined>>

/** The headers as they are now. Lists are copied: Fastify adds cookies to the one it has. */
export function headersOf(reply: FastifyReply): ReplyHeaders {
  const headers: Record<string, OutgoingHttpHeader | undefined> = reply.getHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = [...value]
  }
  return headers
}

/** What a handler changed: a line per value it set, `null` for a header it removed. */
export function headerChanges(before: ReplyHeaders, after: ReplyHeaders): readonly HeaderChange[] {
  const changes: HeaderChange[] = []
  for (const name in after) {
    const value = after[name]
    if (isSame(before[name], value)) continue
    if (Array.isArray(value)) for (const line of value) changes.push([name, String(line)])
    else changes.push([name, String(value)])
  }
  for (const name in before) {
    if (after[name] === undefined) changes.push([name, null])
  }
  return changes
}

/** Takes back whatever was changed since. */
export function restoreHeaders(reply: FastifyReply, then: ReplyHeaders): void {
  const now: ReplyHeaders = reply.getHeaders()
  for (const name in now) {
    if (!isSame(now[name], then[name])) reply.removeHeader(name)
  }
  for (const name in then) {
    if (!isSame(now[name], then[name])) reply.header(name, then[name])
  }
}

function isSame(
  one: OutgoingHttpHeader | undefined,
  other: OutgoingHttpHeader | undefined,
): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  return String([one].flat()) === String([other].flat())
}
