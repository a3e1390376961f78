import { isReplayed } from './answer.ts'
import type { Answer, Loss } from './attempt.ts'
import type { RetryReason, ShouldRetry } from './should-retry.ts'

/** Statuses below 500 that concern the moment and not the request. */
const MOMENTARY: ReadonlySet<number> = new Set([408, 423, 425, 429])

/**
 * Codes of other servers for a 409 while the key's first request still runs: Stripe and similar
 * APIs.
 */
const IN_PROGRESS_CODES: ReadonlySet<string> = new Set(['in-progress', 'idempotency_key_in_use'])

/** draft-ietf-httpapi-idempotency-key-header-07 section 2.7, for servers that are not Oncekey. */
const IN_PROGRESS_TITLE = 'A request is outstanding for this Idempotency-Key'

/** Why to retry with the same key; undefined if the caller gets this outcome. */
export function retryReason(
  outcome: Answer | Loss,
  attempt: number,
  shouldRetry: ShouldRetry,
): RetryReason | undefined {
  const isLost = outcome.kind === 'lost'
  const said = shouldRetry({
    response: isLost ? undefined : outcome.response,
    error: isLost ? outcome.error : undefined,
    attempt,
  })
  const reason = ruledReason(outcome)
  // A promise is not a decision: taken as `true`, it would repeat a request that succeeded.
  if (typeof said !== 'boolean') {
    unheeded(said)
    return reason
  }
  return said ? (reason ?? 'status') : undefined
}

/** Handles the promise of a callback that is not awaited, whose rejection would end a process. */
export function unheeded(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {})
}

function ruledReason(outcome: Answer | Loss): RetryReason | undefined {
  if (outcome.kind === 'lost') return outcome.reason
  const { response, problem } = outcome
  const advice = serverAdvice(response.headers)
  if (advice === false) return undefined
  // The server knows that the same request will not succeed.
  if (problem?.retry === 'never' || problem?.retry === 'new-key') return undefined
  if (isInProgress(outcome)) return 'in-progress'
  return advice === true || isMomentary(response.status) ? 'status' : undefined
}

/** `Stripe-Should-Retry` and `x-should-retry`, as several vendors' clients read them. */
function serverAdvice(headers: Headers): boolean | undefined {
  const said = headers.get('stripe-should-retry') ?? headers.get('x-should-retry')
  if (said === 'true') return true
  return said === 'false' ? false : undefined
}

/**
 * 4xx statuses that come from a handler, hardly ever from a session check, router or proxy in front
 * of it.
 */
const HANDLERS_OWN: ReadonlySet<number> = new Set([402, 410, 412, 422])

/**
 * Whether an answer is final, so that the key is no longer needed. After an earlier attempt with an
 * unknown outcome (`inDoubt`), a session check or router in front of the record may answer 401 or
 * 404 although the request took effect. Then only an answer from behind the record is final.
 */
export function isFinal(answer: Answer, inDoubt: boolean): boolean {
  const { response, problem } = answer
  if (problem?.retry === 'new-key') return true
  if (isMomentary(response.status) || isInProgress(answer)) return false
  if (problem?.code === 'outcome-unknown') return false
  return (
    response.status < 400 || !inDoubt || isReplayed(response) || HANDLERS_OWN.has(response.status)
  )
}

function isInProgress({ response, problem }: Answer): boolean {
  return (
    response.status === 409 &&
    (IN_PROGRESS_CODES.has(problem?.code ?? '') ||
      problem?.title === IN_PROGRESS_TITLE ||
      // A conflict without Retry-After is permanent.
      response.headers.has('retry-after'))
  )
}

function isMomentary(status: number): boolean {
  return status >= 500 || MOMENTARY.has(status)
}
