/**
 * Values of a label, of which there are at most so many: a series is kept for each for as long as the
 * process lives, and what a client chooses must not decide how many there are. The rest is `other`.
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
