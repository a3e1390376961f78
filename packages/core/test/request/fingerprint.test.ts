import { createHash } from 'node:crypto'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  acceptedFingerprints,
  type FingerprintInput,
  fingerprint,
  type RequestBody,
} from '../../src/request/fingerprint.ts'

const bytes = (text: string): RequestBody => ({
  kind: 'bytes',
  bytes: new TextEncoder().encode(text),
})
const parsed = (value: unknown): RequestBody => ({ kind: 'parsed', value })
const chosen = (value: unknown): RequestBody => ({ kind: 'chosen', value })

function of(body: RequestBody, differently: Partial<FingerprintInput> = {}): string {
  return fingerprint({
    method: 'POST',
    target: '/orders',
    contentType: 'application/json',
    body,
    ...differently,
  })
}

const tagOf = (print: string) => print.slice(0, print.indexOf(':'))
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

describe('two requests are the same', () => {
  test('when their JSON differs in white space, the order of keys and the spelling of numbers', () => {
    expect(of(bytes('{"a":1,"b":{"c":2,"d":3}}'))).toBe(
      of(bytes(' {\n "b": {"d": 3.0, "c": 2e0}, "a": 1 }')),
    )
  })

  test('whether the adapter saw the bytes of the JSON or the parsed value', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text)
        const print = of(parsed(value))
        if (tagOf(print) === 'json1') expect(of(bytes(text))).toBe(print)
        else expect(tagOf(of(bytes(text)))).toBe('bytes1')
      }),
    )
  })

  test('when only the parameters or the case of the content type differ', () => {
    const body = bytes('{"a":1}')
    const print = of(body)
    expect(of(body, { contentType: 'application/json; charset=utf-8' })).toBe(print)
    expect(of(body, { contentType: 'Application/JSON;charset="UTF-8"' })).toBe(print)
    expect(of(body, { contentType: ' application/json ' })).toBe(print)
  })

  test('for a zero of either sign, as RFC 8785 writes both as 0', () => {
    expect(of(bytes('{"a":-0}'))).toBe(of(bytes('{"a":0}')))
    expect(of(parsed({ a: -0 }))).toBe(of(bytes('{"a":-0.0}')))
  })

  test('when a key comes twice and the last one, which parsers take, is the same', () => {
    expect(of(bytes('{"a":1,"a":2}'))).toBe(of(bytes('{"a":2}')))
  })

  test('with no body and with an empty one', () => {
    expect(of({ kind: 'none' })).toBe(of(bytes('')))
  })
})

describe('two requests differ', () => {
  const print = of(bytes('{"a":1}'))

  test.each<[string, string]>([
    ['method', of(bytes('{"a":1}'), { method: 'PATCH' })],
    ['path', of(bytes('{"a":1}'), { target: '/orders/1' })],
    ['query', of(bytes('{"a":1}'), { target: '/orders?dry=1' })],
    ['media type', of(bytes('{"a":1}'), { contentType: 'application/merge-patch+json' })],
    ['absent content type', of(bytes('{"a":1}'), { contentType: undefined })],
    ['value', of(bytes('{"a":2}'))],
    ['type of a value', of(bytes('{"a":"1"}'))],
    ['order of an array', of(bytes('{"a":[1,2]}'))],
    ['absent body', of({ kind: 'none' })],
  ])('by their %s', (_, other) => {
    expect(other).not.toBe(print)
    expect(of(bytes('{"a":[1,2]}'))).not.toBe(of(bytes('{"a":[2,1]}')))
  })

  test('by the order of bytes that are not JSON', () => {
    const contentType = 'application/x-www-form-urlencoded'
    expect(of(bytes('a=1&b=2'), { contentType })).not.toBe(of(bytes('b=2&a=1'), { contentType }))
  })

  test('by a key named __proto__', () => {
    expect(of(bytes('{"__proto__":1}'))).not.toBe(of(bytes('{"__proto__":2}')))
    expect(of(bytes('{"__proto__":1}'))).not.toBe(of(bytes('{}')))
  })

  test('however text is shifted from one part to the next', () => {
    const part = fc.string({ maxLength: 12 })
    const media = fc.constantFrom('', 'a/b', 'application/json', '4:POST', '1:a1:b')
    const input = fc.record({ method: part, target: part, contentType: media, text: part })
    fc.assert(
      fc.property(input, input, (one, other) => {
        const print = ({ method, target, contentType, text }: typeof one) =>
          fingerprint({ method, target, contentType, body: bytes(text) })
        const different = JSON.stringify(one) !== JSON.stringify(other)
        if (different && tagOf(print(one)) === 'bytes1') expect(print(one)).not.toBe(print(other))
        expect(print({ ...one })).toBe(print(one))
      }),
    )
    fc.assert(
      fc.property(part, fc.nat(12), (text, at) => {
        const whole = fingerprint({ method: text, target: '', contentType: '', body: bytes('') })
        const cut = { method: text.slice(0, at), target: text.slice(at) }
        const shifted = fingerprint({ ...cut, contentType: '', body: bytes('') })
        expect(shifted === whole).toBe(cut.method === text)
      }),
    )
  })
})

describe('a body that canonical form would change is compared by its bytes', () => {
  test('an integer over 2^53, whose last digits a parser loses', () => {
    const one = of(bytes('{"account":9007199254740993}'))
    const other = of(bytes('{"account":9007199254740992}'))
    expect(one).not.toBe(other)
    expect(tagOf(one)).toBe('bytes1')
    expect(tagOf(of(bytes('{"account":9007199254740991}')))).toBe('json1')
    expect(tagOf(of(bytes('{"account":-9007199254740992}')))).toBe('bytes1')
    expect(tagOf(of(parsed({ account: 9007199254740992 })))).toBe('text1')
  })

  test.each([
    ['4503599627370497.25', '4503599627370497.00'],
    ['1e-400', '0'],
    ['0.1000000000000000055511151231257827', '0.1'],
    ['1.23456789012345e-320', '1.23456789012346e-320'],
    ['12345678901234567.5', '12345678901234567.6'],
  ])('a decimal past what a double holds: %s is not %s', (one, other) => {
    expect(JSON.parse(one)).toBe(JSON.parse(other))
    const print = (amount: string) => of(bytes(`{"amount":${amount}}`))
    expect(print(one)).not.toBe(print(other))
    expect(tagOf(print(one))).toBe('bytes1')
  })

  test.each([
    '0.30000000000000004',
    '1.10',
    '12.50',
    '100',
    '5e-324',
    '1E3',
    '0.000',
    '-0.0',
    '2.50e1',
  ])('but other numbers by value: %s', (amount) => {
    expect(tagOf(of(bytes(`{"amount":${amount}}`)))).toBe('json1')
    expect(
      of(bytes(`{ "amount": ${amount}, "id": "1e-400 12345678901234567.25 \\" 1e999" }`)),
    ).toBe(of(bytes(`{"id":"1e-400 12345678901234567.25 \\" 1e999","amount":${amount}}`)))
  })

  test('a number past the largest', () => {
    expect(tagOf(of(bytes('{"a":1e400}')))).toBe('bytes1')
    expect(of(bytes('{"a":1e400}'))).not.toBe(of(bytes('{"a":1e401}')))
    expect(tagOf(of(parsed(JSON.parse('{"a":1e400}'))))).toBe('text1')
    expect(of(parsed({ a: Number.POSITIVE_INFINITY }))).not.toBe(
      of(parsed({ a: Number.NEGATIVE_INFINITY })),
    )
  })

  test('half a surrogate pair, in a value or a key', () => {
    expect(tagOf(of(bytes(String.raw`{"a":"\ud800"}`)))).toBe('bytes1')
    expect(tagOf(of(parsed({ a: '\ud800' })))).toBe('text1')
    expect(of(parsed({ a: '\ud800' }))).not.toBe(of(parsed({ a: '\ud801' })))
    expect(of(parsed({ a: '\ud800' }))).not.toBe(of(parsed({ a: '\ufffd' })))
    expect(of(parsed({ '\ud800': 1 }))).not.toBe(of(parsed({ '\udfff': 1 })))
  })

  test.each([[65], [5_000], [100_000]])('nesting %d deep, without a stack overflow', (depth) => {
    const text = (leaf: number) => '['.repeat(depth) + leaf + ']'.repeat(depth)
    expect(tagOf(of(bytes(text(1))))).toBe('bytes1')
    expect(of(bytes(text(1)))).not.toBe(of(bytes(text(2))))
    expect(tagOf(of(parsed(JSON.parse(text(1)))))).toBe('text1')
    expect(of(parsed(JSON.parse(text(1))))).not.toBe(of(parsed(JSON.parse(text(2)))))
  })

  test('but not nesting of 64', () => {
    expect(tagOf(of(bytes('['.repeat(64) + ']'.repeat(64))))).toBe('json1')
  })

  test('a body over 256 KB', () => {
    const ofSize = (size: number) => JSON.stringify('x'.repeat(size - 2))
    expect(tagOf(of(bytes(ofSize(256 * 1024))))).toBe('json1')
    expect(tagOf(of(bytes(ofSize(256 * 1024 + 1))))).toBe('bytes1')
    expect(tagOf(of(parsed('x'.repeat(256 * 1024))))).toBe('json1')
    expect(tagOf(of(parsed('x'.repeat(256 * 1024 + 1))))).toBe('text2')
    expect(tagOf(of(parsed(Array.from({ length: 150_000 }, () => 0))))).toBe('text2')
  })

  test.each([
    ['no JSON', '{"a":'],
    ['a comma too many', '[1,]'],
    ['invalid UTF-8', undefined],
    ['nothing', ''],
  ])('%s', (_, text) => {
    const body: RequestBody =
      text === undefined
        ? { kind: 'bytes', bytes: new Uint8Array([0x22, 0xff, 0xfe, 0x22]) }
        : bytes(text)
    expect(tagOf(of(body))).toBe('bytes1')
  })

  test('quotes that end no string, at the cost of one look at the text', () => {
    // Looking for numbers in it took 55 s, in which the process answered nobody.
    expect(tagOf(of(bytes(`1e5"${'\\"'.repeat(127_000)}`)))).toBe('bytes1')
  })

  test('JSON under another media type', () => {
    expect(tagOf(of(bytes('{"a":1}'), { contentType: 'text/plain' }))).toBe('bytes1')
    expect(tagOf(of(bytes('{"a":1}'), { contentType: 'application/problem+json' }))).toBe('json1')
  })

  test('bytes where a parsed body was expected', () => {
    const raw = new TextEncoder().encode('raw')
    const contentType = 'application/octet-stream'
    const print = of({ kind: 'bytes', bytes: raw }, { contentType })
    expect(of(parsed(raw), { contentType })).toBe(print)
    expect(of(parsed(Buffer.from(raw)), { contentType })).toBe(print)
    expect(of(chosen(raw), { contentType })).toBe(print)
  })
})

describe('a custom fingerprint input', () => {
  test('replaces the body, while method, URL and media type still count', () => {
    expect(of(chosen({ id: 1 }))).toBe(of(parsed({ id: 1 })))
    expect(of(chosen({ id: 1 }), { target: '/refunds' })).not.toBe(of(chosen({ id: 1 })))
  })

  test('may hold what JSON cannot: bigint, undefined, dates, bytes', () => {
    const prints = [
      of(chosen({ n: 1n })),
      of(chosen({ n: 2n })),
      of(chosen({ n: undefined })),
      of(chosen({})),
      of(chosen({ at: new Date(0) })),
      of(chosen({ at: new Date(1) })),
      of(chosen({ at: new Date(1), n: 1n })),
      of(chosen({ at: new Date(2), n: 1n })),
      of(chosen({ file: Buffer.from('a') })),
      of(chosen({ file: Buffer.from('b') })),
    ]
    expect(new Set(prints).size).toBe(prints.length)
  })

  test('is refused if its content is hidden, because all such values would look alike', () => {
    for (const [kind, value] of [
      ['a Map', new Map([['a', 1]])],
      ['a Set', { tags: new Set(['a']) }],
      ['a FormData', new FormData()],
      ['a URLSearchParams', [new URLSearchParams('a=1')]],
      ['a Promise', Promise.resolve('a')],
      ['a Map', Object.assign(new Map([['a', 1]]), { name: 'tags' })],
      ['an Error', Object.assign(new Error('declined'), { code: 1 })],
      ['a Money', { amount: new Money(500) }],
      ['a function', { amount: () => 500 }],
      ['a symbol', { currency: Symbol('eur') }],
    ] as const) {
      expect(() => of(chosen(value))).toThrow(
        expect.objectContaining({
          code: 'fingerprint-required',
          message: `What stands for the body holds ${kind}, which cannot be told from another. Return plain JSON values or bytes: \`fingerprint: (req) => ({ … })\`.`,
        }),
      )
    }
  })

  test('may be of a class whose content shows, or that has none', () => {
    class Line {
      sku = 'a'
      total() {
        return 1
      }
    }
    class Empty {}
    // As query strings are parsed: neither a class nor a plain object.
    const parsedQuery = Object.create(Object.create(null))
    // An object of another realm has another Object.prototype.
    const foreign = runInNewContext('({})')
    const values = [new Line(), new Empty(), parsedQuery, foreign, [], new Uint8Array(), { a: 1n }]
    for (const value of values) expect(of(chosen({ value }))).toMatch(/^(json|text)1:/)
    expect(of(parsed({ value: new Line() }))).toBe(of(parsed({ value: { sku: 'a' } })))
  })

  test('may have a toJSON that returns the object itself', () => {
    const doc = (id: number) => ({
      id,
      toJSON() {
        return this
      },
    })
    const print = (id: number) => of(parsed({ doc: Object.setPrototypeOf({ id }, doc(0)) }))
    expect(print(1)).not.toBe(print(2))
    expect(print(1)).toBe(print(1))
  })

  test('is refused if its toJSON goes on for ever', () => {
    const endless = () => ({ toJSON: endless })
    expect(() => of(chosen({ at: endless() }))).toThrow(
      expect.objectContaining({ code: 'fingerprint-required' }),
    )
  })

  test('is refused if it is circular', () => {
    const circle: Record<string, unknown> = {}
    circle.self = { circle }
    expect(() => of(chosen(circle))).toThrow(/holds itself/)
    const ring: unknown[] = []
    ring.push(ring)
    expect(() => of(chosen(ring))).toThrow(/holds itself/)
  })

  test('may hold the same object twice', () => {
    const shared = { big: 2n ** 70n }
    expect(tagOf(of(chosen({ a: shared, b: shared })))).toBe('text1')
  })
})

class Money {
  readonly #cents: number

  constructor(cents: number) {
    this.#cents = cents
  }

  isFree(): boolean {
    return this.#cents === 0
  }
}

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
