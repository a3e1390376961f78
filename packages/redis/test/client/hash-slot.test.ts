import { expect, test } from 'vitest'
import { hashSlot } from '../../src/client/hash-slot.ts'

// The first is the example of the specification; the others are what CLUSTER KEYSLOT says.
test.each([
  ['123456789', 0x31c3],
  ['foo', 12_182],
  ['', 0],
])('the hash slot of %j is %d', (key, slot) => {
  expect(hashSlot(key)).toBe(slot)
})

test('of a key only the first pair of braces counts, if there is something in it', () => {
  expect(hashSlot('a{foo}b{bar}')).toBe(hashSlot('foo'))
  expect(hashSlot('{}foo')).not.toBe(hashSlot('foo'))
  expect(hashSlot('{foo')).not.toBe(hashSlot('foo'))
})
