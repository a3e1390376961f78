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

  test.each([
    ['a Date', new Date(0)],
    ['undefined', undefined],
    ['NaN', Number.NaN],
  ])('keeps the older form where JSON would lose %s', (_, value) => {
    expect(tagOf(of(list(value)))).toBe('text1')
    expect(of(list(value))).not.toBe(of(list(null)))
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
