/**
 * The hash that is indexed in the place of an ordering key, because the key may be too long for an
 * index. Two keys may have the same hash.
 */
export function keyHash(key: string): string {
  return `hashtextextended(${key}, 0)`
}

/** Whether two ordering keys are equal, in a form that can use the index. */
export function sameKey(key: string, other: string): string {
  return `${keyHash(key)} = ${keyHash(other)} and ${key} = ${other}`
}
