import { expect, test } from 'vitest'
import { isCausedByOne } from '../../src/errors/caused-by.ts'

const ours = new Error('ours')
const made = new Set<unknown>([ours, 'a text'])
const unreadable = new Proxy(new Error('secret'), {
  get() {
    throw new Error('not to be read')
  },
})
const circular = Object.assign(new Error('circular'), { cause: undefined as unknown })
circular.cause = circular

test.each<[string, unknown, boolean]>([
  ['that is one of them', ours, true],
  ['that is no Error and one of them', 'a text', true],
  ['whose cause is one of them', new Error('one', { cause: ours }), true],
  [
    'whose cause has it as its cause',
    new Error('1', { cause: new Error('2', { cause: ours }) }),
    true,
  ],
  ['of another making', new Error('ours'), false],
  ['with another cause', new Error('one', { cause: new Error('ours') }), false],
  ['that is its own cause', circular, false],
  ['that cannot be read', unreadable, false],
  ['that is undefined', undefined, false],
])('an error %s: %#', (_, error, expected) => {
  expect(isCausedByOne(error, made)).toBe(expected)
  expect(isCausedByOne(error, new Set())).toBe(false)
})
