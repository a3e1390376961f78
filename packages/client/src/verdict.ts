import { isReplayed } from './answer.ts'
import type { Answer, Loss } from './attempt.ts'
import type { RetryReason, ShouldRetry } from './should-retry.ts'

/** Statuses below 500 that speak of the moment and not of the request. */
const MOMENTARY: ReadonlySet<number> = new Set([408, 423, 425, 429])

/** What other servers call a 409 for a key whose first request still runs: Stripe, and those after it. */
const IN_PROGRESS_CODES: ReadonlySet<string> = new Set(['in-progress', 'idempotency_key_in_use'])

/** draft-ietf-httpapi-idempotency-key-header-07 section 2.7, for servers that are not Oncekey. */
const IN_PROGRESS_TITLE = 'A request is outstanding for this Idempotency-Key'

/** Why to try again with the same key; undefined if this is what the caller gets. */
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
  // A promise is no answer: taken for `true`, it would send again what has succeeded.
  if (typeof said !== 'boolean') {
    unheeded(said)
    return reason
  }
  return said ? (reason ?? 'status') : undefined
}

/** What a callback answered that nobody waits for: one that rejects would end a process. */
export function unheeded(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {})
}

function ruledReason(outcome: Answer | Loss): RetryReason | undefined {
  if (outcome.kind === 'lost') return outcome.reason
  const { response, problem } = outcome
  const advice = serverAdvice(response.headers)
  if (advice === false) return undefined
  // The server knows best that the same request will fare no better.
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

/** 4xx that a handler says, hardly ever the session check, router or proxy in front of it. */
const HANDLERS_OWN: ReadonlySet<number> = new Set([402, 410, 412, 422])

/**
 * Whether an answer says what became of the request, so that its key is done with. After an earlier
 * attempt whose outcome is unknown (`inDoubt`), a 401 or 404 may come from what stands in front of
 * the record, of a request that did take effect: then only an answer from behind it counts.
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
      // Nobody says when to come back to a conflict that stays one.
      response.headers.has('retry-after'))
  )
}

function isMomentary(status: number): boolean {
  return status >= 500 || MOMENTARY.has(status)
}
