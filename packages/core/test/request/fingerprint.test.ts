import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  acceptedFingerprints,
  type FingerprintInput,
  fingerprint,
  type RequestBody,
} from '../../src/request/fingerprint.ts'
import { bytes, chosen, of, parsed, tagOf } from './fingerprints.ts'

const hmac = { keyId: 'k1', key: new Uint8Array(32).fill(1) }

describe('the content type', () => {
  const print = (contentType: string) => of(bytes('{}'), { contentType })

  test('includes its parameters', () => {
    const types = ['v=1', 'v=2', 'v=1;profile="a b"', 'charset=utf-16'].map(
      (parameters) => `application/json;${parameters}`,
    )
    expect(new Set(['application/json', ...types].map(print)).size).toBe(5)
    expect(tagOf(print('application/json; v=1'))).toBe('json2')
  })

  test('ignores the spelling of its parameters, and parameters without meaning', () => {
    expect(print('application/json; v=1; a="x"')).toBe(print('Application/JSON;A=x;V=1'))
    for (const nothing of ['charset=utf-8', 'charset="UTF8"', 'boundary=x7', '']) {
      expect(print(`application/json; ${nothing}`)).toBe(print('application/json'))
    }
  })
})

describe('the parts that an adapter names', () => {
  test('each change the fingerprint', () => {
    const print = (...parts: string[]) => of(bytes('{}'), { parts })
    const all = [print(), print('v=1'), print('v=2'), print('v', '=2'), print('v=2', '')]
    expect(new Set(all).size).toBe(5)
  })
})

describe('a large parsed body', () => {
  const list = (last: unknown) =>
    parsed([...Array.from({ length: 100_000 }, (_, id) => ({ id })), last])

  test('is fingerprinted as complete JSON', () => {
    expect(tagOf(of(list(1)))).toBe('text2')
    expect(of(list(1))).toBe(of(list(1)))
    expect(of(list(1))).not.toBe(of(list('1')))
  })

  const long = (last: unknown) => parsed(['x'.repeat(600_000), last])

  // A bug: one such integer in a list of a million numbers took 0.8 s and 260 MB.
  test('and so it is with an integer over 2^53, or half a surrogate pair', () => {
    expect(tagOf(of(long(2 ** 53)))).toBe('text2')
    expect(of(long(2 ** 53))).not.toBe(of(long(2 ** 53 + 2)))
    expect(of(long('\ud800'))).not.toBe(of(long('\udfff')))
  })

  test.each([
    ['a Date', new Date(0)],
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['a list that is nested too deep', JSON.parse('['.repeat(5_000) + ']'.repeat(5_000))],
  ])('is digested where JSON would lose %s, or cannot be made', (_, value) => {
    expect(tagOf(of(long(value)))).toBe('digest2')
    expect(of(long(value))).toBe(of(long(value)))
    expect(of(long(value))).not.toBe(of(long(null)))
  })
})

// A bug: each byte was a member of the text, and a file of 1.5 MB took 2 s and 340 MB.
describe('a value that holds bytes', () => {
  const file = (size: number, fill = 7) => Buffer.alloc(size, fill)
  const given = (value: unknown) => chosen({ name: 'violin', files: [value] })

  test('is digested if they are more than 64 KB, by all of them', () => {
    const large = file(1_000_000)
    expect(tagOf(of(given(large)))).toBe('digest2')
    expect(of(given(large))).toBe(of(given(new Uint8Array(large))))
    const other = file(1_000_000)
    other[999_999] = 8
    expect(of(given(other))).not.toBe(of(given(large)))
    expect(of(given(large.subarray(1)))).not.toBe(of(given(large)))
    expect(of(chosen({ name: 'viola', files: [large] }))).not.toBe(of(given(large)))
  })

  test('counts all of them together', () => {
    const few = Array.from({ length: 8 }, () => file(8_192))
    expect(tagOf(of(chosen(few)))).toBe('text1')
    expect(tagOf(of(chosen([...few, file(1)])))).toBe('digest2')
  })

  test('tells them from numbers, and elements of one size from those of another', () => {
    const same = [
      new Uint8Array(100_000),
      new Int8Array(100_000),
      new Uint16Array(50_000),
      new Float64Array(12_500),
      Array.from({ length: 100_000 }, () => 0),
    ]
    expect(new Set(same.map((value) => of(given(value)))).size).toBe(same.length)
  })

  test('keeps its older form if they are few', () => {
    expect(of(given(file(3)))).toBe(
      of(chosen({ name: 'violin', files: [{ type: 'Buffer', data: [7, 7, 7] }] })),
    )
    expect(tagOf(of(chosen({ n: 1n, file: file(65_536) })))).toBe('text1')
  })

  test('is refused if its content is hidden, whatever its size', () => {
    for (const value of [new DataView(new ArrayBuffer(100_000)), new ArrayBuffer(100_000)]) {
      expect(() => of(chosen([file(100_000), value]))).toThrow(/fingerprint: \(req\)/)
    }
  })
})

describe('what an older release stored', () => {
  test('matches by the fingerprint of its own algorithm', () => {
    const input = { method: 'POST', target: '/', body: parsed({ a: 1 }) }
    const contentType = 'application/json; v=1'
    const now = acceptedFingerprints({ ...input, contentType }, undefined)
    const then = acceptedFingerprints({ ...input, contentType: 'application/json' }, undefined)
    expect(now.older?.()).toEqual(then.accepted)
    expect(then.older).toBeUndefined()
    const large = { ...input, contentType: undefined, body: parsed(['x'.repeat(300_000)]) }
    expect(acceptedFingerprints(large, undefined).older?.()).toEqual([
      expect.stringMatching(/^text1:/),
    ])
  })

  // A client can cause it at will, by a request that reuses a key.
  test('is not looked for where its text would take long', () => {
    const input = { method: 'POST', target: '/', contentType: 'application/json; v=1' }
    for (const value of [['x'.repeat(600_000)], { file: Buffer.alloc(100_000) }]) {
      expect(acceptedFingerprints({ ...input, body: parsed(value) }, undefined).older).toBe(
        undefined,
      )
    }
  })
})

// A changed digest would answer pending retries with 422. A new algorithm gets a new tag while the
// old one is still accepted; the algorithm of an existing tag never changes.
describe('the digest of an algorithm never changes', () => {
  test.each([
    ['json1:OPQXB5TDMEiwelc2KcdypH4bO8GxuGcZoe9B9a9m-RA', of(bytes('{"b":[1,"é"],"a":null}'))],
    ['json1:OPQXB5TDMEiwelc2KcdypH4bO8GxuGcZoe9B9a9m-RA', of(parsed({ b: [1, 'é'], a: null }))],
    [
      'text1:Ppeh7gomsSOtX5VPx5QSIoH-qdvZ8oq5nkRDQoGQ108',
      of(parsed({ n: 2 ** 60, list: [true, null, '"'], deep: { x: -1.5 } })),
    ],
    ['bytes1:bgbaZ15QlgHWNLjAbTW7bpQw5rUTgPOkFKy2-8OfvJ4', of(bytes('not json'))],
    [
      'bytes1:FBp9ZTKjSxJfjRUPkDZnprpc2lLR90JRUiIWbRxJZCo',
      of({ kind: 'none' }, { contentType: undefined }),
    ],
    [
      'json1:G5yvUN1BNwAjU0QpGTiMbkm1C5Mx17-MZBPWZksqMEc',
      of(chosen({ file: 'sha256-of-it' }), { contentType: 'multipart/form-data' }),
    ],
  ])('%s', (golden, print) => {
    expect(print).toBe(golden)
  })

  test('nor that of an HMAC', () => {
    expect(
      fingerprint(
        { method: 'POST', target: '/orders', contentType: undefined, body: bytes('x') },
        hmac,
      ),
    ).toBe('bytes1.k1:XvAqf3FygHUz-vv0veTyEvtrZaPS-PPX5075-bb-64E')
  })

  test('and it is a plain SHA-256 of length-prefixed parts', () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
    expect(of(parsed({ b: 2, a: 1 }))).toBe(
      `json1:${sha256('4:POST7:/orders16:application/json{"a":1,"b":2}')}`,
    )
    expect(of(bytes('b=2&a=1'), { contentType: 'application/x-www-form-urlencoded' })).toBe(
      `bytes1:${sha256('4:POST7:/orders33:application/x-www-form-urlencodedb=2&a=1')}`,
    )
  })
})

describe('a body that cannot be compared', () => {
  test.each([[bytes('--x')], [parsed({ a: '1' })], [{ kind: 'unseen', hint: '' } as RequestBody]])(
    'is multipart without a custom fingerprint: %j',
    (body) => {
      expect(() => of(body, { contentType: 'multipart/form-data; boundary=x' })).toThrow(
        expect.objectContaining({
          code: 'fingerprint-required',
          message:
            'A multipart/form-data body looks different on every retry (its boundary is random). Say what counts: `fingerprint: (req) => ({ …the fields and file hashes })`.',
        }),
      )
    },
  )

  test('is not multipart without a body', () => {
    expect(of({ kind: 'none' }, { contentType: 'multipart/form-data' })).toMatch(/^bytes1:/)
  })

  test('is one that the adapter cannot see; the hint says what to do', () => {
    expect(() => of({ kind: 'unseen', hint: 'Mount express.json() first.' })).toThrow(
      expect.objectContaining({
        code: 'body-unseen',
        message: expect.stringMatching(
          /could not be told from another.*Mount express\.json\(\) first\.$/,
        ),
      }),
    )
  })
})

describe('with seal keys a fingerprint is an HMAC', () => {
  const input: FingerprintInput = {
    method: 'POST',
    target: '/pin',
    contentType: 'application/json',
    body: parsed({ pin: '1234' }),
  }
  const keys = { k1: new Uint8Array(32).fill(1), k2: new Uint8Array(32).fill(2) }

  test('which names its key and cannot be confirmed without it', () => {
    const one = fingerprint(input, { keyId: 'k1', key: keys.k1 })
    const other = fingerprint(input, { keyId: 'k1', key: keys.k2 })
    expect(one).toMatch(/^json1\.k1:[\w-]{43}$/)
    expect(one).not.toBe(other)
    expect(one.split(':')[1]).not.toBe(fingerprint(input).split(':')[1])
  })

  test('under every listed key, the current first, and plain, so that rotation refuses no retry', () => {
    const { accepted } = acceptedFingerprints(input, { current: 'k2', keys })
    expect(accepted).toEqual([
      fingerprint(input, { keyId: 'k2', key: keys.k2 }),
      fingerprint(input, { keyId: 'k1', key: keys.k1 }),
      fingerprint(input),
    ])
  })

  test('and without keys the plain one is the only one', () => {
    expect(acceptedFingerprints(input, undefined).accepted).toEqual([fingerprint(input)])
  })
})
