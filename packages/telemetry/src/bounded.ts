/**
 * Limits how many values a label has. A process keeps a series for each value for as long as it
 * lives, so clients must not decide how many there are. Further values become `other`.
 */
export function bounded(most: number): (value: string) => string {
  const seen = new Set<string>()
  return (value) => {
    if (seen.has(value)) return value
    if (seen.size >= most) return 'other'
    seen.add(value)
    return value
  }
}
