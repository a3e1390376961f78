import { messageOf } from '@oncekey/core'
import { expect, test } from 'vitest'

test('the message of an error is its message, or its code where it has none', () => {
  expect(messageOf(new Error('no street'))).toBe('no street')
  expect(messageOf(Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }))).toBe(
    'ECONNREFUSED',
  )
  expect(messageOf('text')).toBe('text')
  expect(messageOf(undefined)).toBe('undefined')
})

test('what cannot be read has a message all the same', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const guarded = Object.defineProperty(new Error('kept'), 'message', {
    get() {
      throw new Error('not for you')
    },
  })
  for (const thrown of [Object.create(null), guarded, revoked.proxy]) {
    expect(messageOf(thrown)).toBe('What was thrown could not be read.')
  }
})
