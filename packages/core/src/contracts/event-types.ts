/**
 * Whether a list of types means an event of this type. A list names types as they are emitted
 * (`order.created`), everything that begins so (`order.*`, also `order.item.added`), or everything
 * (`*`). Consumers, logs and webhook endpoints all ask here.
 */
export function meansType(types: readonly string[], type: string): boolean {
  return patternsOf(type).some((pattern) => types.includes(pattern))
}

/** All that a list can have in it to mean this type: a database finds the list by them. */
export function patternsOf(type: string): string[] {
  const segments = type.split('.')
  const prefixes = segments.slice(1).map((_, at) => `${segments.slice(0, at + 1).join('.')}.*`)
  return ['*', ...prefixes, type]
}

/** Whether it is a type, or a `*` for all of them, or one that ends in `.*`. */
export function isTypePattern(pattern: unknown): pattern is string {
  if (typeof pattern !== 'string' || pattern === '') return false
  return pattern === '*' || !pattern.replace(/(?<=[^.])\.\*$/, '').includes('*')
}

/** Whether whatever the other list means this one means, too. */
export function coversTypes(types: readonly string[], others: readonly string[]): boolean {
  return others.every((other) =>
    other.endsWith('.*') ? isCovered(types, other) : meansType(types, other),
  )
}

/** The same list in one form: sorted, each once, without what another entry means already. */
export function normalTypes(types: readonly string[] | null): readonly string[] {
  if (types === null || types.includes('*')) return ['*']
  const all = [...new Set(types)].sort()
  return all.filter((type) => {
    const rest = all.filter((other) => other !== type)
    return !coversTypes(rest, [type])
  })
}

/** What a statement or a script can compare by: whole types, and beginnings that end in a dot. */
export function splitTypes(types: readonly string[] | null): {
  readonly whole: readonly string[]
  readonly beginnings: readonly string[]
} | null {
  if (types === null || types.includes('*')) return null
  const isBeginning = (type: string): boolean => type.endsWith('.*')
  return {
    whole: types.filter((type) => !isBeginning(type)),
    beginnings: types.filter(isBeginning).map((type) => type.slice(0, -1)),
  }
}

function isCovered(types: readonly string[], beginning: string): boolean {
  // `order.item.*` is meant by itself, by `order.*` and by `*`.
  return (
    patternsOf(beginning.slice(0, -2)).some(
      (pattern) => pattern.endsWith('*') && types.includes(pattern),
    ) || types.includes(beginning)
  )
}
