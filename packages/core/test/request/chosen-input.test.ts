import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { chosen, of, parsed, tagOf } from './fingerprints.ts'

class Money {
  readonly #cents: number

  constructor(cents: number) {
    this.#cents = cents
  }

  isFree(): boolean {
    return this.#cents === 0
  }
}

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
    // Made as parsers of query strings make it: neither a class nor a plain object.
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
