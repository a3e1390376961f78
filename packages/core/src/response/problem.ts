import type { HeaderChange, PlainResponse } from '../contracts/stored-response.ts'
import type { ProblemCode } from '../errors/errors.ts'

/** What a client may do next: send the same key again, start over with a new one, or neither. */
export type RetryAdvice = 'same-key' | 'new-key' | 'never'

/** The members that every problem with the same code shares. */
export interface ProblemType {
  /** The HTTP status, unless `problemStatus` has another. */
  readonly status: number
  readonly title: string
  readonly retry: RetryAdvice
  /** Whether `Retry-After` is sent. */
  readonly soon?: true
}

/**
 * Every problem that Oncekey answers with, as RFC 9457 problem details. This is the only file with
 * status codes. Titles are those of draft-ietf-httpapi-idempotency-key-header-07 section 2.7 where
 * it has one.
 */
export const problemTypes: Readonly<Record<ProblemCode, ProblemType>> = {
  'not-authentic': { status: 401, title: 'The request is not authentic', retry: 'never' },
  'key-missing': { status: 400, title: 'Idempotency-Key is missing', retry: 'new-key' },
  'key-invalid': { status: 400, title: 'Idempotency-Key is not valid', retry: 'new-key' },
  'key-reused': { status: 422, title: 'Idempotency-Key is already used', retry: 'new-key' },
  'request-too-large': {
    status: 413,
    title: 'The request is too large to be compared',
    retry: 'never',
  },
  'body-unsupported': {
    status: 415,
    title: 'The type of the request body is not supported',
    retry: 'never',
  },
  'in-progress': {
    status: 409,
    title: 'A request is outstanding for this Idempotency-Key',
    retry: 'same-key',
    soon: true,
  },
  'outcome-unknown': {
    status: 409,
    title: 'It is not known how the first request with this Idempotency-Key ended',
    retry: 'never',
  },
  'result-gone': {
    status: 410,
    title: 'The request was answered; its answer is not kept',
    retry: 'never',
  },
  'response-too-large': {
    status: 500,
    title: 'The response is too large to be kept',
    retry: 'never',
  },
  'transaction-aborted': {
    status: 500,
    title: 'The transaction of the request was aborted',
    retry: 'same-key',
  },
  'transaction-ended': {
    status: 500,
    title: 'The transaction of the request was ended early',
    retry: 'never',
  },
  'option-failed': {
    status: 500,
    title: 'A function of the application failed',
    retry: 'same-key',
  },
  'handler-timeout': {
    status: 503,
    title: 'The request took too long',
    retry: 'same-key',
    soon: true,
  },
  'store-busy': { status: 503, title: 'Too many requests at once', retry: 'same-key', soon: true },
  'store-unavailable': {
    status: 503,
    title: 'Idempotency cannot be ensured now',
    retry: 'same-key',
    soon: true,
  },
  'commit-failed': {
    status: 503,
    title: 'It is not known whether the request took effect',
    retry: 'same-key',
    soon: true,
  },
  draining: { status: 503, title: 'The server is shutting down', retry: 'same-key', soon: true },
}

/** Statuses to answer instead of the standard ones, by code. */
export type ProblemStatuses = Readonly<Partial<Record<ProblemCode, number>>>

/** An app that maps a problem to one of these statuses wants clients to see it as temporary. */
const SOON: ReadonlySet<number> = new Set([425, 429, 503])

/**
 * Makes the response for a problem. `docsUrl` is where the problem's type and a `describedby` link
 * point: to a heading of that page, or to a page below it if it ends with a slash.
 */
export function problem(
  code: ProblemCode,
  detail: string,
  options: {
    readonly docsUrl: string | undefined
    readonly problemStatus?: ProblemStatuses
    readonly retryAfterMs?: number
    /** Whatever the code says: the request must not be sent again. */
    readonly isFinal?: boolean
  },
): PlainResponse {
  const { title, ...standard } = problemTypes[code]
  const { docsUrl, problemStatus, retryAfterMs = 1000 } = options
  const status = problemStatus?.[code] ?? standard.status
  const isFinal = options.isFinal === true
  const soon = !isFinal && (standard.soon ?? SOON.has(status))
  const retry: RetryAdvice = isFinal ? 'never' : standard.retry
  const type = typeOf(code, docsUrl)
  const headers: HeaderChange[] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ]
  if (soon) headers.push(['retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000)))])
  if (docsUrl !== undefined) headers.push(['link', `<${type}>; rel="describedby"`])
  const body = JSON.stringify({ type, title, status, detail, code, retry })
  return { status, headers, body: new TextEncoder().encode(body) }
}

function typeOf(code: ProblemCode, docsUrl: string | undefined): string {
  if (docsUrl === undefined) return `urn:oncekey:problem:${code}`
  return docsUrl.endsWith('/') ? `${docsUrl}${code}` : `${docsUrl}#${code}`
}

const CODES: ReadonlySet<string> = new Set(Object.keys(problemTypes))

/** Whether an error code is one that clients get. */
export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && CODES.has(code)
}
