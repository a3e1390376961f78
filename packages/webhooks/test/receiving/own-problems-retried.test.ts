import { expect, test } from 'vitest'
import { isProblemCode, problem } from '../../../core/src/response/problem.ts'
import { classifyByStatus } from '../../src/retry/response-class.ts'

/** Every code with which a receiver built on this workspace can answer. */
const codes = (
  [
    'not-authentic',
    'key-missing',
    'key-invalid',
    'key-reused',
    'request-too-large',
    'body-unsupported',
    'in-progress',
    'outcome-unknown',
    'result-gone',
    'response-too-large',
    'transaction-aborted',
    'transaction-ended',
    'handler-timeout',
    'store-busy',
    'store-unavailable',
    'commit-failed',
    'draining',
  ] as const
).filter(isProblemCode)

const answerOf = (code: (typeof codes)[number]) => {
  const { body } = problem(code, 'detail', { docsUrl: undefined })
  return JSON.parse(Buffer.from(body).toString()) as { status: number; retry: string }
}

test('the list of codes is complete', () => {
  expect(codes.map((code) => answerOf(code).status).filter(Number.isInteger)).toHaveLength(17)
})

test.each(codes.filter((code) => answerOf(code).retry === 'same-key'))(
  '%s asks for the same request again, and our own sender obeys by the status alone',
  (code) => {
    expect(classifyByStatus(answerOf(code).status)).toBe('transient')
  },
)
