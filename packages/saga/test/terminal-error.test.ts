import { TerminalError } from '@oncekey/saga'
import { expect, it } from 'vitest'

it('A terminal error is an error with its own name', () => {
  expect(String(new TerminalError('no such address'))).toBe('TerminalError: no such address')
})
