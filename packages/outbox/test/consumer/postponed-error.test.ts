import { expect, test } from 'vitest'
import { isPostponed, PostponedError } from '../../src/consumer/postponed-error.ts'

// A bug: in a relay of another bundle each postponement counted as an attempt.
test('a PostponedError of another copy is one', () => {
  class OtherCopy extends Error {
    override readonly name = 'PostponedError'
    readonly delayMs = 5
  }
  expect(isPostponed(new OtherCopy('later'))).toBe(true)
  expect(isPostponed(new PostponedError('later', 5, undefined))).toBe(true)
  expect(isPostponed(Object.assign(new Error('x'), { delayMs: 5 }))).toBe(false)
  expect(isPostponed({ name: 'PostponedError', delayMs: 5 })).toBe(false)
})
