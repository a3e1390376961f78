import { expect, test } from 'vitest'
import { seriesOf } from '../src/series.ts'

test('makes a series once for each combination of values', () => {
  const made: string[] = []
  const series = seriesOf((values) => {
    made.push(values.join('|'))
    return { values }
  })
  const first = series(['http', 'POST /orders'])
  expect(series(['http', 'POST /orders'])).toBe(first)
  expect(series(['http', 'POST /refunds'])).not.toBe(first)
  expect(series(['httpPOST', ' /orders'])).not.toBe(first)
  expect(made).toEqual(['http|POST /orders', 'http|POST /refunds', 'httpPOST| /orders'])
})
