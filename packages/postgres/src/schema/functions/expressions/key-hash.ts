/**
 * What the index of deliveries by ordering key has in place of the key, which may be longer than an index
 * has room for. Two keys may share one.
 */
export function keyHash(key: string): string {
  return `hashtextextended(${key}, 0)`
}

/** Whether two ordering keys are the same, told so that the index is of use. */
export function sameKey(key: string, other: string): string {
  return `${keyHash(key)} = ${keyHash(other)} and ${key} = ${other}`
}
