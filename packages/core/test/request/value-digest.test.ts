import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHeavy, valueDigest } from '../../src/request/value-digest.ts'

const leaf = fc.oneof(
  fc.string({ maxLength: 3 }),
  fc.constantFrom(undefined, null, Number.NaN, 1n, true, 'n1', '#', '_', '[', '],', ','),
  fc.integer({ min: 0, max: 3 }),
  fc.uint8Array({ maxLength: 2 }),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 2 }), tie('value'), { maxKeys: 3 }),
  ),
}))

describe('the digest of a value', () => {
  test('differs for any two values that differ', () => {
    fc.assert(
      fc.property(value, value, (one, other) => {
        expect(valueDigest(one) === valueDigest(other)).toBe(spelled(one) === spelled(other))
      }),
      { numRuns: 2_000 },
    )
  })

  test('differs for values that look alike when joined', () => {
    const hole = Object.assign(new Array(2), { 1: 1 })
    const values = [
      [],
      {},
      [[]],
      [{}],
      [[], []],
      [[[]]],
      ['a', 'b'],
      ['a,"b'],
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      { a: { b: 2 } },
      [1],
      ['1'],
      [1n],
      { 0: 1 },
      [undefined, 1],
      hole,
      [null, 1],
      [null],
      ['null'],
      [true],
      [new Uint8Array()],
      [new Uint8Array(1)],
    ]
    expect(new Set(values.map(valueDigest)).size).toBe(values.length)
  })

  test('is that of what toJSON returns, except for bytes', () => {
    expect(valueDigest([new Date(0)])).toBe(valueDigest(['1970-01-01T00:00:00.000Z']))
    expect(valueDigest([Buffer.from('a')])).toBe(valueDigest([new Uint8Array([97])]))
    expect(valueDigest([Buffer.from('a')])).not.toBe(valueDigest([Buffer.from('a').toJSON()]))
  })

  test('is made of 50,000 lists in one another, and of one object in two places', () => {
    let deep: unknown = 1
    for (let depth = 0; depth < 50_000; depth += 1) deep = [deep]
    expect(valueDigest(deep)).not.toBe(valueDigest([deep]))
    const shared = { a: 1 }
    expect(valueDigest([shared, shared])).toBe(valueDigest([{ a: 1 }, { a: 1 }]))
  })

  test.each([
    ['a Map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a DataView', new DataView(new ArrayBuffer(1))],
  ])('cannot be made of %s', (what, given) => {
    expect(() => valueDigest([given])).toThrow(`holds ${what}, which cannot be told from another`)
  })

  test.each([1, 2, 3, 7, 100])('cannot be made of a circle of %d lists', (size) => {
    const lists = Array.from({ length: size }, (): unknown[] => ['a', { b: [] }])
    for (const [at, list] of lists.entries()) list.push(lists[(at + 1) % size], 'c')
    expect(() => valueDigest([[1], lists[0]])).toThrow(/holds itself/)
  })

  test('may be made of an object that is there again beside itself, at any depth', () => {
    const shared = { a: [1] }
    const beside = [shared, [shared, [shared, [shared, shared]]], shared]
    expect(valueDigest(beside)).toBe(valueDigest(JSON.parse(JSON.stringify(beside))))
  })
})

describe('a value is heavy', () => {
  const ring: unknown[] = []
  ring.push(ring)

  test.each([
    ['a list of 131,073 numbers', Array.from({ length: 131_073 }, () => 1), true],
    ['one of 131,072', Array.from({ length: 131_072 }, () => 1), false],
    ['an undefined member and 512 KB of text', { a: undefined, b: 'x'.repeat(524_288) }, true],
    ['a name of 600,000 characters', { ['x'.repeat(600_000)]: 1n }, true],
    ['64 KB and a byte', { file: Buffer.alloc(65_537) }, true],
    ['64 KB', { file: Buffer.alloc(65_536) }, false],
    ['a circle', ring, true],
    ['a number', 1n, false],
  ])('or not: %s', (_, given, is) => {
    expect(isHeavy(given)).toBe(is)
  })
})

/** The same value in words of another making, with bytes told from what else there is. */
function spelled(given: unknown): string {
  if (given instanceof Uint8Array) return `bytes ${Buffer.from(given).toString('hex')}`
  if (Array.isArray(given)) return `list ${given.length} ${given.map(spelled).join(' | ')}`
  if (typeof given === 'object' && given !== null) {
    const members = Object.entries(given).map(([name, member]) => [name, spelled(member)])
    return `object ${JSON.stringify(members)}`
  }
  return JSON.stringify([typeof given, String(given)])
}
