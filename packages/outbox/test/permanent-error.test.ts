import { PermanentError } from '@oncekey/outbox'
import { expect, it } from 'vitest'

it('A permanent error is an error with its own name', () => {
  expect(String(new PermanentError('no such address'))).toBe('PermanentError: no such address')
})
