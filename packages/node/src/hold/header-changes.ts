import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeaderChange } from '@oncekey/core'

/** What a handler changed: a line per value it set, `null` for a header it removed. */
export function headerChanges(
  before: OutgoingHttpHeaders,
  after: OutgoingHttpHeaders,
): readonly HeaderChange[] {
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
export function restoreHeaders(res: ServerResponse, before: OutgoingHttpHeaders): void {
  for (const name of res.getHeaderNames()) {
    if (before[name] === undefined) res.removeHeader(name)
  }
  for (const [name, value] of Object.entries(before)) {
    if (value !== undefined && !isSame(res.getHeader(name), value)) res.setHeader(name, value)
  }
}

type Value = OutgoingHttpHeaders[string]

function isSame(one: Value, other: Value): boolean {
  return (
    one === other || (one !== undefined && other !== undefined && String(one) === String(other))
  )
}
