import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deriveKey } from '../../src/request/derive-key.ts'
import { checkedKey } from '../../src/request/key.ts'

const owner = { namespace: 'http', scope: 'customer-1', key: 'k-1' }

describe('a derived key', () => {
  // A changed key would charge a card again, on the first retry after a deploy.
  test('never changes', () => {
    expect(deriveKey(owner, 'charge')).toBe('oncekey-e238583a5a702b48df8000a23f85e1d290e11825')
  })

  test('is a valid key, short enough for the strictest gateway', () => {
    const key = deriveKey(owner, 'a label of any length, '.repeat(50))
    expect(checkedKey(key)).toEqual({ kind: 'key', key })
    expect(key).toHaveLength(48)
  })

  test('depends on every part, and text cannot shift between parts', () => {
    const part = fc.string({ maxLength: 6 })
    const parts = fc.tuple(part, part, part, part)
    const of = ([namespace, scope, key, label]: [string, string, string, string]) =>
      deriveKey({ namespace, scope, key }, label)
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        expect(of(one) === of(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
    )
    expect(of(['a', 'bc', 'd', ''])).not.toBe(of(['ab', 'c', 'd', '']))
    expect(of(['1:a', '', '', ''])).not.toBe(of(['', '1:a', '', '']))
  })
})
