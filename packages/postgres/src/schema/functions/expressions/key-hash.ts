/**
 * The hash that the index of deliveries has instead of the ordering key, which may be too long for
 * an index. Two keys may share a hash.
 */
export function keyHash(key: string): string {
  return `hashtextextended(${key}, 0)`
}

/** Whether two ordering keys are equal, in a form that can use the index. */
export function sameKey(key: string, other: string): string {
  return `${keyHash(key)} = ${keyHash(other)} and ${key} = ${other}`
}
