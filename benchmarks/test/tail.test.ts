import { expect, test } from 'vitest'
import { tailOf } from '../src/tail.ts'

test('quantiles are the median of the rounds, the worst is that of all rounds', () => {
  const round = (worst: number) => [...Array.from({ length: 999 }, () => 1), worst]
  const [p50, p99, p999, worst] = tailOf([round(7), round(100), round(9)])
  expect([p50, p99, worst]).toEqual([1, 1, 100])
  // The last but one of a thousand, and a thousandth of the way to the last.
  expect(p999).toBeCloseTo(1 + 8 * 0.001, 10)
})
