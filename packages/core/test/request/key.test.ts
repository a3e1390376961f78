import fc from 'fast-check'
import { serializeItem } from 'structured-headers'
import { describe, expect, test } from 'vitest'
import { checkedKey, readKey } from '../../src/request/key.ts'

const key = (text: string) => ({ kind: 'key', key: text })
const reasonOf = (lines: readonly string[], strict = false) => {
  const reading = readKey(lines, strict)
  return reading.kind === 'invalid' ? reading.reason : reading
}

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 255,
})
/** What can be sent without quotes: a comma would make a list, and outer spaces are lost. */
const sentBare = printable.filter(
  (text) => !text.includes(',') && !text.startsWith('"') && text.trim() === text,
)

/** Any UTF-16, including lone surrogates and control characters. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
  .map((units) => String.fromCharCode(...units))

describe('a key', () => {
  test('is missing when no header line came', () => {
    expect(readKey([], false)).toEqual({ kind: 'missing' })
    expect(readKey([], true)).toEqual({ kind: 'missing' })
  })

  test('is the same quoted and bare', () => {
    expect(readKey(['"8e03978e-40d5"'], false)).toEqual(key('8e03978e-40d5'))
    expect(readKey(['8e03978e-40d5'], false)).toEqual(key('8e03978e-40d5'))
    fc.assert(
      fc.property(sentBare, (text) => {
        expect(readKey([text], false)).toEqual(readKey([serializeItem(text)], false))
      }),
    )
  })

  test('round-trips any printable ASCII, quoted as a structured field', () => {
    fc.assert(
      fc.property(printable, (text) => {
        expect(readKey([serializeItem(text)], true)).toEqual(key(text))
      }),
    )
  })

  test('is read through the escapes of a structured-field string', () => {
    expect(readKey([String.raw`"a\"b\\c"`], true)).toEqual(key(String.raw`a"b\c`))
  })

  test('does not depend on the parameters after its quotes', () => {
    expect(readKey(['"abc";retry=1'], true)).toEqual(key('abc'))
    expect(readKey(['"abc"; a; b="c"'], false)).toEqual(key('abc'))
  })

  test('does not depend on white space around it', () => {
    expect(readKey([' \tabc\t '], false)).toEqual(key('abc'))
    expect(readKey([' "abc" '], false)).toEqual(key('abc'))
  })

  test('keeps the white space and the commas inside its quotes', () => {
    expect(readKey(['" a, b "'], false)).toEqual(key(' a, b '))
  })

  test('is case-sensitive', () => {
    expect(readKey(['ABC'], false)).not.toEqual(readKey(['abc'], false))
  })

  test('may be 255 characters long, and no longer', () => {
    expect(readKey(['k'.repeat(255)], false)).toEqual(key('k'.repeat(255)))
    expect(readKey([`"${'k'.repeat(255)}"`], false)).toEqual(key('k'.repeat(255)))
    expect(reasonOf(['k'.repeat(256)])).toBe('it is longer than 255 characters')
    expect(reasonOf([`"${'k'.repeat(256)}"`])).toBe('it is longer than 255 characters')
  })

  test('counts its length after unescaping', () => {
    expect(readKey([`"${String.raw`\"`.repeat(255)}"`], false)).toEqual(key('"'.repeat(255)))
  })
})

describe('a header that cannot be a key', () => {
  test.each([[''], [' '], ['\t'], ['""'], ['"";a=1']])('is empty: %j', (line) => {
    expect(reasonOf([line])).toBe('it is empty')
  })

  test.each([
    ['a NUL', 'ab\0c'],
    ['a line feed', 'ab\nc'],
    ['a carriage return at the end', 'abc\r'],
    ['DEL', 'ab\x7fc'],
    ['a C1 control', 'ab\x85'],
    ['a letter of Latin-1', 'clé'],
    ['a no-break space at the end, which trim() would hide', 'abc\u00a0'],
    ['a byte order mark in front, which trim() would hide', '\ufeffabc'],
    ['an emoji', '🔑'],
    ['a letter of Latin-1 in quotes', '"clé"'],
    ['a tab inside', 'a\tb'],
  ])('has %s', (_, line) => {
    expect(reasonOf([line])).toBe('it has characters other than printable ASCII')
  })

  test.each([
    ['an unterminated quote', '"abc'],
    ['a quote that only opens', '"'],
    ['a quote that ends in an escape', '"abc\\'],
    ['an escape of something else', String.raw`"a\bc"`],
    ['a tab inside its quotes', '"a\tb"'],
    ['something after its quotes', '"abc" def'],
    ['a parameter without a name', '"abc";'],
    ['a list of quoted strings', '"abc", "def"'],
    ['the same string twice', '"abc", "abc"'],
  ])('has %s', (_, line) => {
    expect(reasonOf([line])).toBe('it starts like a quoted string but is not one')
  })

  test('is a list', () => {
    expect(reasonOf(['abc, def'])).toBe('it is a list; send one key')
    expect(reasonOf(['abc,'])).toBe('it is a list; send one key')
  })

  test('came in two lines, even if they say the same', () => {
    expect(reasonOf(['abc', 'abc'])).toBe('the header was sent more than once')
    expect(reasonOf(['"abc"', '"abc"'], true)).toBe('the header was sent more than once')
  })

  test('is bare with strict', () => {
    expect(reasonOf(['abc'], true)).toBe('it must be a quoted string, "…"')
    expect(reasonOf([''], true)).toBe('it must be a quoted string, "…"')
  })

  test('never throws, whatever bytes arrive', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (line, strict) => {
        const reading = readKey([line], strict)
        if (reading.kind === 'key') expect(checkedKey(reading.key)).toEqual(reading)
        else expect(reading.kind).toBe('invalid')
      }),
    )
  })
})

describe('a key from elsewhere than a header', () => {
  test('is any text of 1 to 255 printable ASCII characters, including commas and quotes', () => {
    expect(checkedKey('topic,3,"17"')).toEqual(key('topic,3,"17"'))
    expect(checkedKey('')).toMatchObject({ kind: 'invalid' })
    expect(checkedKey('k'.repeat(256))).toMatchObject({ kind: 'invalid' })
    expect(checkedKey('a\nb')).toMatchObject({ kind: 'invalid' })
  })
})
