import { expect, test } from 'vitest'
import { bounded } from '../src/bounded.ts'

test('past the most there is one value for all others, and those before keep theirs', () => {
  const label = bounded(2)
  expect(['a', 'b', 'c', 'a', 'd'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other'])
})
