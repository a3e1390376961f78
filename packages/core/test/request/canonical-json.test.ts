import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../src/request/canonical-json.ts'
import { unambiguousText } from '../../src/request/unambiguous-text.ts'

describe('canonical JSON', () => {
  test('matches the example of RFC 8785 section 3.2.2', () => {
    const text = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`
    // The example has 1E30, which is over 2^53, and a number with more digits than a double, so it
    // keeps its bytes.
    const bytes = (json: string) => new TextEncoder().encode(json)
    expect(canonicalJson(bytes(text))).toBeUndefined()
    expect(canonicalJson(bytes(text.replace('1E30, ', '')))).toBeUndefined()
    expect(canonicalJson({ value: JSON.parse(text.replace('1E30, ', '')) })).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  test('sorts keys by UTF-16 units (RFC 8785 section 3.2.3)', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6']
    const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33']
    const text = canonicalJson({ value: Object.fromEntries(keys.map((key) => [key, 0])) })
    expect(Object.keys(JSON.parse(text as string)).sort()).toEqual(sorted)
    expect(text).toBe(`{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`)
  })

  test('is the same for any order of keys, and parses to what it was made from', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson({ value })
        if (text === undefined) return
        expect(canonicalJson({ value: reversed(value) })).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

describe('an object of plain members', () => {
  // Objects list index keys first, whatever their order; `toJSON` and `__proto__` have a meaning.
  const key = fc.oneof(
    fc.constantFrom('a', 'b', 'B', 'b-1', 'b_1', '10', '9', '01', 'toJSON', '__proto__', '', 'é'),
    fc.string(),
  )
  const member = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\ud800', '\u2028', '\u007f', -0, 1e21, 2 ** 53, 0.1, Number.NaN, undefined),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  )

  test('takes the fast path to the same text as the library', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, member), { maxLength: 40 }), (members) => {
        const value = Object.fromEntries(members)
        const text = canonicalJson({ value })
        if (text !== undefined) expect(text).toBe(canonicalize(value))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the text of a value that has no canonical form', () => {
  test('differs for any two JSON values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        expect(unambiguousText(one) === unambiguousText(other)).toBe(same)
      }),
    )
  })

  test('differs for values that look alike when joined', () => {
    const values = [
      [],
      {},
      [[]],
      [{}],
      ['a', 'b'],
      ['a;string:"b"'],
      { a: 1, b: 2 },
      { a: { b: 2 } },
      { 'a=': 1 },
      ['1'],
      [1],
      { 0: 1 },
      [null],
      ['null'],
      [undefined],
      [1n],
      [true],
      ['true'],
    ]
    expect(new Set(values.map(unambiguousText)).size).toBe(values.length)
  })
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, child]) => [key, reversed(child)]),
  )
}
