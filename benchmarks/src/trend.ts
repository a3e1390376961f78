/** The start and the end of the straight line through values that were measured in equal steps. */
export function trendOf(values: readonly number[]): { readonly from: number; readonly to: number } {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((total, value) => total + value, 0) / values.length
  let covered = 0
  let spread = 0
  for (const [at, value] of values.entries()) {
    covered += (at - middle) * (value - mean)
    spread += (at - middle) ** 2
  }
  const slope = spread === 0 ? 0 : covered / spread
  return { from: mean - slope * middle, to: mean + slope * middle }
}
