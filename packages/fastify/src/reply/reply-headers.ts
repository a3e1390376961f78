import type { OutgoingHttpHeader } from 'node:http'
import type { HeaderChange } from '@oncekey/core'
import type { FastifyReply } from 'fastify'

/** A reply's headers at one moment, by lower-case name. */
export type ReplyHeaders = Readonly<Record<string, OutgoingHttpHeader | undefined>>

/** The current headers. Arrays are copied, because Fastify appends cookies in place. */
export function headersOf(reply: FastifyReply): Record<string, OutgoingHttpHeader | undefined> {
  const headers: Record<string, OutgoingHttpHeader | undefined> = reply.getHeaders()
  for (const name in headers) {
    const value = headers[name]
    if (Array.isArray(value)) headers[name] = [...value]
  }
  return headers
}

/** The handler's changes: one line per value it set, `null` for a header it removed. */
export function headerChanges(before: ReplyHeaders, after: ReplyHeaders): HeaderChange[] {
  const changes: HeaderChange[] = []
  for (const name in after) {
    const value = after[name]
    if (isSame(before[name], value)) continue
    if (!Array.isArray(value)) changes.push([name, String(value)])
    // Node sends nothing for an empty list.
    else if (value.length === 0) changes.push([name, null])
    else for (const line of value) changes.push([name, String(line)])
  }
  for (const name in before) {
    if (after[name] === undefined) changes.push([name, null])
  }
  return changes
}

/** Reverts all changes since `then`. */
export function restoreHeaders(reply: FastifyReply, then: ReplyHeaders): void {
  const now: ReplyHeaders = reply.getHeaders()
  for (const name in now) {
    if (!isSame(now[name], then[name])) reply.removeHeader(name)
  }
  for (const name in then) {
    if (!isSame(now[name], then[name])) reply.header(name, then[name])
  }
}

/**
 * Header values as the bytes that are sent, one character per byte. Node encodes an HTTP/1 head
 * like the body it is sent with, which with a string body is UTF-8.
 */
export function asSentBeside(payload: unknown, changes: HeaderChange[]): readonly HeaderChange[] {
  if (typeof payload !== 'string' || payload === '') return changes
  if (changes.every(([, value]) => isAscii(value))) return changes
  return changes.map(([name, value]) => [
    name,
    value === null ? null : Buffer.from(value, 'utf8').toString('latin1'),
  ])
}

export function isAscii(value: string | null): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a range of bytes.
  return value === null || !/[^\x00-\x7f]/.test(value)
}

function isSame(
  one: OutgoingHttpHeader | undefined,
  other: OutgoingHttpHeader | undefined,
): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  return String([one].flat()) === String([other].flat())
}
