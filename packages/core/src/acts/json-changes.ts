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
 * characters. What a database cannot keep is replaced by U+FFFD. Texts that differ only in what
 * JavaScript cannot hold, such as the last digits of a long integer, differ as a whole.
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
    const below = `${path}/${keepable(name.replaceAll('~', '~0').replaceAll('/', '~1'))}`
    collect(below, own(before, name), own(after, name), into)
  }
}

function isParent(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function own(parent: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(parent, name) ? parent[name] : undefined
}

/** A cut may fall between the halves of a character. */
function cut(text: string): string {
  return keepable(text.length > 500 ? `${text.slice(0, 500)}…` : text)
}

/** Text that every database keeps, for people to read: without NUL and without half characters. */
function keepable(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}

const MOST_CHANGES = 100
