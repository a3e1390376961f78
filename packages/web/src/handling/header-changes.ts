import type { HeaderChange } from '@oncekey/core'

/** The handler's changes: one line per value it set, `null` for a header it removed. */
export function headerChanges(before: Headers, after: Headers): HeaderChange[] {
  const changes: HeaderChange[] = []
  // `Headers` joins the values of every header except `Set-Cookie`, as HTTP allows.
  for (const name of new Set(after.keys())) {
    const values = valuesOf(after, name)
    // An empty value differs from an absent one.
    if (before.has(name) && String(values) === String(valuesOf(before, name))) continue
    for (const value of values) changes.push([name, value])
  }
  for (const name of new Set(before.keys())) {
    if (!after.has(name)) changes.push([name, null])
  }
  return changes
}

function valuesOf(headers: Headers, name: string): readonly string[] {
  return name === 'set-cookie' ? headers.getSetCookie() : [headers.get(name) ?? '']
}
