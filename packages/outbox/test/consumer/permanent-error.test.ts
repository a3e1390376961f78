import { PermanentError } from '@oncekey/outbox'
import { expect, test } from 'vitest'

test('a PermanentError is an error with its own name', () => {
  expect(String(new PermanentError('no such address'))).toBe('PermanentError: no such address')
})

test('a PermanentError keeps its cause and its details', () => {
  const cause = new Error('402')
  expect(new PermanentError('declined', { cause, details: { code: 'card' } })).toMatchObject({
    cause,
    details: { code: 'card' },
  })
})

// Two bundles in one process have a copy of the package each.
test('a PermanentError of another copy is one, and so is that of a class which extends it', () => {
  class OtherCopy extends Error {
    override readonly name = 'PermanentError'
    readonly details: unknown = undefined
  }
  class Declined extends PermanentError {
    override readonly name = 'Declined' as never
  }
  expect(new OtherCopy('declined')).toBeInstanceOf(PermanentError)
  expect(new Declined('declined')).toBeInstanceOf(PermanentError)
  expect(new Declined('declined')).toBeInstanceOf(Declined)
  expect(new OtherCopy('declined')).not.toBeInstanceOf(Declined)
  expect(new PermanentError('declined')).not.toBeInstanceOf(Declined)
  expect(Object.assign(new Error('x'), { details: 1 })).not.toBeInstanceOf(PermanentError)
})
