import { describe, expect, test } from 'vitest'
import type { ProblemCode } from '../../src/errors/errors.ts'
import { isProblemCode, problem, type RetryAdvice } from '../../src/response/problem.ts'

// Clients depend on these: changing one is a breaking change.
const PROBLEMS: Record<ProblemCode, [status: number, retry: RetryAdvice, retryAfter: boolean]> = {
  'not-authentic': [401, 'never', false],
  'key-missing': [400, 'new-key', false],
  'key-invalid': [400, 'new-key', false],
  'key-reused': [422, 'new-key', false],
  'request-too-large': [413, 'never', false],
  'body-unsupported': [415, 'never', false],
  'in-progress': [409, 'same-key', true],
  'outcome-unknown': [409, 'never', false],
  'result-gone': [410, 'never', false],
  'response-too-large': [500, 'never', false],
  'transaction-aborted': [500, 'same-key', false],
  'transaction-ended': [500, 'never', false],
  'option-failed': [500, 'same-key', false],
  'handler-timeout': [503, 'same-key', true],
  'store-busy': [503, 'same-key', true],
  'store-unavailable': [503, 'same-key', true],
  'commit-failed': [503, 'same-key', true],
  draining: [503, 'same-key', true],
}
const codes = Object.keys(PROBLEMS) as ProblemCode[]

const made = (code: ProblemCode, docsUrl?: string, retryAfterMs?: number) => {
  const options = { docsUrl, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  const { status, headers, body } = problem(code, 'What happened here.', options)
  return {
    status,
    headers: Object.fromEntries(headers),
    body: JSON.parse(Buffer.from(body).toString()),
  }
}

describe.each(codes)('the problem %s', (code) => {
  const [status, retry, retryAfter] = PROBLEMS[code]

  test(`is ${status} with the members of RFC 9457 and what to do next`, () => {
    const { body, headers, status: sent } = made(code)
    expect(sent).toBe(status)
    expect(body).toEqual({
      type: `urn:oncekey:problem:${code}`,
      title: expect.any(String),
      status,
      detail: 'What happened here.',
      code,
      retry,
    })
    expect(headers['content-type']).toBe('application/problem+json')
    expect(headers['cache-control']).toBe('no-store')
  })

  test(retryAfter ? 'says when to come back' : 'does not ask to come back', () => {
    expect(made(code).headers['retry-after']).toBe(retryAfter ? '1' : undefined)
  })

  test('links to its documentation if docsUrl is set', () => {
    const { body, headers } = made(code, 'https://api.example.com/errors')
    expect(body.type).toBe(`https://api.example.com/errors#${code}`)
    expect(headers.link).toBe(`<https://api.example.com/errors#${code}>; rel="describedby"`)
    expect(made(code).headers.link).toBeUndefined()
  })

  test('links to a page of its own, where the address ends with a slash', () => {
    const { body, headers } = made(code, 'https://api.example.com/errors/')
    expect(body.type).toBe(`https://api.example.com/errors/${code}`)
    expect(headers.link).toBe(`<https://api.example.com/errors/${code}>; rel="describedby"`)
  })

  test('is recognised as a problem code', () => {
    expect(isProblemCode(code)).toBe(true)
  })
})

describe('problems', () => {
  test('have the titles of draft-07 section 2.7 where it has one', () => {
    expect(made('key-missing').body.title).toBe('Idempotency-Key is missing')
    expect(made('key-reused').body.title).toBe('Idempotency-Key is already used')
    expect(made('in-progress').body.title).toBe('A request is outstanding for this Idempotency-Key')
  })

  test('have a title each', () => {
    expect(new Set(codes.map((code) => made(code).body.title)).size).toBe(codes.length)
  })

  test.each([
    [0, '1'],
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [59_999.5, '60'],
  ])('give %d ms in whole seconds, rounded up and never 0: %s', (retryAfterMs, seconds) => {
    expect(made('in-progress', undefined, retryAfterMs).headers['retry-after']).toBe(seconds)
  })

  test('do not exist for misuse', () => {
    for (const code of ['options-invalid', 'seal-broken', 'toString', undefined, 404]) {
      expect(isProblemCode(code)).toBe(false)
    }
  })
})
