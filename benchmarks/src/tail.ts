import { median, quantile } from './median.ts'

export const TAIL_COLUMNS = ['p50', 'p99', 'p99.9', 'worst'] as const

/** Quantiles are the median of those of the rounds; the worst is that of all rounds. */
export function tailOf(rounds: readonly (readonly number[])[]): number[] {
  const of = (share: number) => median(rounds.map((values) => quantile(values, share)))
  return [of(0.5), of(0.99), of(0.999), Math.max(...rounds.map((values) => quantile(values, 1)))]
}
