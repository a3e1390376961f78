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
