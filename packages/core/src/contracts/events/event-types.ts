/**
 * Whether a list of types includes a type. An entry is a type as emitted (`order.created`), a
 * prefix (`order.*`, which also matches `order.item.added`), or everything (`*`). Consumers, logs
 * and webhook endpoints all use this function.
 */
export function meansType(types: readonly string[], type: string): boolean {
  return patternsOf(type).some((pattern) => types.includes(pattern))
}

/** All entries that include this type, for a database that looks lists up by entry. */
export function patternsOf(type: string): string[] {
  const segments = type.split('.')
  const prefixes = segments.slice(1).map((_, at) => `${segments.slice(0, at + 1).join('.')}.*`)
  return ['*', ...prefixes, type]
}

/** Whether a text is a valid entry: a type, `*`, or a prefix that ends in `.*`. */
export function isTypePattern(pattern: unknown): pattern is string {
  if (typeof pattern !== 'string' || pattern === '') return false
  return pattern === '*' || !pattern.replace(/(?<=[^.])\.\*$/, '').includes('*')
}

/** Whether this list includes every type that the other one includes. */
export function coversTypes(types: readonly string[], others: readonly string[]): boolean {
  return others.every((other) =>
    other.endsWith('.*') ? isCovered(types, other) : meansType(types, other),
  )
}

/**
 * The normal form of a list: sorted, without duplicates and without entries that another one
 * includes.
 */
export function normalTypes(types: readonly string[] | null): readonly string[] {
  if (types === null || types.includes('*')) return ['*']
  const all = [...new Set(types)].sort()
  return all.filter((type) => {
    const rest = all.filter((other) => other !== type)
    return !coversTypes(rest, [type])
  })
}

/**
 * Splits a list into the two forms that SQL statements and scripts compare by: whole types, and
 * prefixes that end in a dot.
 */
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
  // `order.item.*` is included by itself, by `order.*` and by `*`.
  return (
    patternsOf(beginning.slice(0, -2)).some(
      (pattern) => pattern.endsWith('*') && types.includes(pattern),
    ) || types.includes(beginning)
  )
}
