/**
 * One place in which two JSON documents differ. `before` and `after` are JSON text, and absent
 * where that document has nothing at this place.
 */
export interface JsonChange {
  /** A JSON Pointer (RFC 6901). */
  readonly path: string
  readonly before?: string
  readonly after?: string
}

/**
 * Lists where two JSON texts differ, for the audit trail: at most 100 places, each text cut at 500
 * characters. If the texts differ only in what JavaScript cannot hold, such as the last digits of a
 * long integer, the list has one change, which is the whole document.
 */
export function jsonChanges(before: string, after: string): readonly JsonChange[] {
  if (before === after) return []
  const changes: JsonChange[] = []
  collect('', JSON.parse(before), JSON.parse(after), changes)
  if (changes.length > 0) return changes
  return [{ path: '', before: cut(before), after: cut(after) }]
}

function collect(path: string, before: unknown, after: unknown, into: JsonChange[]): void {
  if (into.length === MOST_CHANGES || Object.is(before, after)) return
  if (!isParent(before) || !isParent(after) || Array.isArray(before) !== Array.isArray(after)) {
    into.push({
      path,
      ...(before !== undefined && { before: cut(JSON.stringify(before)) }),
      ...(after !== undefined && { after: cut(JSON.stringify(after)) }),
    })
    return
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const below = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    collect(below, own(before, name), own(after, name), into)
  }
}

function isParent(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function own(parent: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(parent, name) ? parent[name] : undefined
}

function cut(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}…` : text
}

const MOST_CHANGES = 100
