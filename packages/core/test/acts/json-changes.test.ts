import { jsonChanges } from '@oncekey/core'
import { expect, test } from 'vitest'

test('names every place that differs, with what was there and what is', () => {
  const before = '{"to":"ana","cents":100,"items":[{"sku":"a/b"}],"old":1}'
  const after = '{"to":"ana","cents":200,"items":[{"sku":"c"},2],"new":null}'
  expect(jsonChanges(before, after)).toEqual([
    { path: '/cents', before: '100', after: '200' },
    { path: '/items/0/sku', before: '"a/b"', after: '"c"' },
    { path: '/items/1', after: '2' },
    { path: '/old', before: '1' },
    { path: '/new', after: 'null' },
  ])
  expect(jsonChanges('{"a/b~":1}', '{"a/b~":2}')[0]?.path).toBe('/a~1b~0')
})

test('is empty for the same text, and never for texts that differ', () => {
  expect(jsonChanges('[1]', '[1]')).toEqual([])
  expect(jsonChanges('9007199254740993', '9007199254740992')).toEqual([
    { path: '', before: '9007199254740993', after: '9007199254740992' },
  ])
  expect(jsonChanges('{"__proto__":1}', '{}')).toEqual([{ path: '/__proto__', before: '1' }])
})

test('is bounded, however many places differ and however long they are', () => {
  const many = (n: number) => JSON.stringify(Array.from({ length: 5_000 }, (_, at) => at + n))
  expect(jsonChanges(many(0), many(1))).toHaveLength(100)
  const [change] = jsonChanges('"a"', JSON.stringify('x'.repeat(1_000_000)))
  expect(change?.after?.length).toBeLessThan(600)
})

// A bug: what was cut in the middle of an emoji, or named by a NUL, was refused by jsonb, so that
// the edit could not be made.
test('holds nothing that a database refuses', () => {
  const [cut] = jsonChanges('""', JSON.stringify(`${'x'.repeat(498)}😀`))
  expect(cut?.after).toBe(`"${'x'.repeat(498)}\ufffd…`)
  expect(jsonChanges('{"a\\u0000":1}', '{"a\\ud800":"\\u0000"}')).toEqual([
    { path: '/a\ufffd', before: '1' },
    { path: '/a\ufffd', after: '"\\u0000"' },
  ])
})
