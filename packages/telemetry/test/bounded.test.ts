import { expect, test } from 'vitest'
import { bounded } from '../src/bounded.ts'

test('values beyond the limit become one, and earlier values keep theirs', () => {
  const label = bounded(2)
  expect(['a', 'b', 'c', 'a', 'd'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other'])
})
