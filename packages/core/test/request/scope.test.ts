import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OncekeyError } from '../../src/errors/errors.ts'
import { checkScope, resolveScope } from '../../src/request/scope.ts'

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'scope-invalid', message: expect.stringMatching(message) })

/** Any UTF-16, including lone surrogates and control characters. */
const anyText = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300 })
  .map((units) => String.fromCharCode(...units))

describe('a scope', () => {
  test('is what the function returns for the request', () => {
    expect(resolveScope((request: { user: string }) => request.user, { user: 'u-1' })).toBe('u-1')
  })

  test("is empty for 'dangerously-shared', which no function can return", () => {
    expect(resolveScope('dangerously-shared', {})).toBe('')
    expect(() => resolveScope(() => '', {})).toThrow(invalid(/returned ""/))
  })

  test('throws what the function throws', () => {
    const error = new Error('no user')
    expect(() =>
      resolveScope(() => {
        throw error
      }, {}),
    ).toThrow(error)
  })

  // A bug: Express and Fastify take it for no error, and went on with the handler.
  test('throws an error where the function throws nothing', () => {
    const nothing = () => {
      throw undefined
    }
    expect(() => resolveScope(nothing, {})).toThrow(
      expect.objectContaining({ code: 'option-failed', cause: undefined }),
    )
  })

  test.each([
    ['undefined', undefined],
    ['object', null],
    ['number', 7],
  ])('is refused if the function returned %s, and never shared instead', (type, value) => {
    expect(() => resolveScope(() => value as never, {})).toThrow(
      invalid(new RegExp(`returned ${type}.*authenticate before`)),
    )
  })

  test.each([undefined, null, Number.NaN, {}, [{}], new Map(), ' ', undefined])(
    'is refused if it is the text of a missing id: %s',
    (value) => {
      expect(() => resolveScope(() => String(value), {})).toThrow(
        invalid(/missing value becomes as text.*Authenticate before/),
      )
    },
  )

  test('may contain such a word', () => {
    expect(checkScope('user:null-island')).toBe('user:null-island')
  })

  test('may be asynchronous, and is checked as well', async () => {
    expect(await resolveScope(async () => 'u-1', {})).toBe('u-1')
    await expect(resolveScope(async () => '', {})).rejects.toMatchObject({ code: 'scope-invalid' })
  })

  test('may be 255 bytes of UTF-8, and no more', () => {
    expect(checkScope('s'.repeat(255))).toHaveLength(255)
    expect(checkScope('é'.repeat(127))).toHaveLength(127)
    expect(checkScope('€'.repeat(85))).toHaveLength(85)
    expect(checkScope('🔑'.repeat(63))).toHaveLength(126)
    for (const tooLong of ['s'.repeat(256), 'é'.repeat(128), '€'.repeat(86), '🔑'.repeat(64)]) {
      expect(() => checkScope(tooLong)).toThrow(invalid(/at most 255 bytes/))
    }
  })

  test.each([['a\0b'], ['a\nb'], ['a\x7fb'], ['\ud800'], ['a\udc00b']])(
    'is refused with text that no store could keep: %j',
    (scope) => {
      expect(() => checkScope(scope)).toThrow(invalid(/without control characters/))
    },
  )

  test('is used unchanged or refused', () => {
    fc.assert(
      fc.property(anyText, (scope) => {
        try {
          expect(checkScope(scope)).toBe(scope)
          expect(new TextEncoder().encode(scope).length).toBeLessThanOrEqual(255)
        } catch (error) {
          if (!(error instanceof OncekeyError)) throw error
        }
      }),
    )
  })
})
