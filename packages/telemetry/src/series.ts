/**
 * Returns what `make` made for these values of labels. It is made once for each combination and
 * kept, as the histogram keeps a series for it.
 */
export function seriesOf<Series>(
  make: (values: readonly string[]) => Series,
): (values: readonly string[]) => Series {
  const root: Level<Series> = { next: new Map(), series: undefined }
  return (values) => {
    let level = root
    for (const value of values) {
      let next = level.next.get(value)
      if (next === undefined) {
        next = { next: new Map(), series: undefined }
        level.next.set(value, next)
      }
      level = next
    }
    level.series ??= make(values)
    return level.series
  }
}

/** A map of maps, because one map would need a text joined of the values for each look. */
interface Level<Series> {
  readonly next: Map<string, Level<Series>>
  series: Series | undefined
}
