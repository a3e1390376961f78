import { isReplayed } from './answer.ts'
import { atOnce } from './at-once.ts'
import type { Answer, Loss } from './attempt.ts'
import type { RetryReason, ShouldRetry } from './should-retry.ts'

/** Statuses below 500 that concern the moment and not the request. */
const MOMENTARY: ReadonlySet<number> = new Set([408, 423, 425, 429])

/** The code of Stripe and similar APIs for a 409 while the key's first request still runs. */
const STRIPES_IN_PROGRESS = 'idempotency_key_in_use'

/** draft-ietf-httpapi-idempotency-key-header-07 section 2.7, for servers that are not Oncekey. */
const IN_PROGRESS_TITLE = 'A request is outstanding for this Idempotency-Key'

/** Section 2.7 of the draft as well: the 422 for a key that was used with another request. */
const REUSED_TITLE = 'Idempotency-Key is already used'

/** Why to retry with the same key; undefined if the caller gets this outcome. */
export function retryReason(
  outcome: Answer | Loss,
  attempt: number,
  shouldRetry: ShouldRetry,
): RetryReason | undefined {
  const isLost = outcome.kind === 'lost'
  const said: unknown = atOnce(
    shouldRetry({
      response: isLost ? undefined : outcome.response,
      error: isLost ? outcome.error : undefined,
      attempt,
    }),
  )
  const reason = ruledReason(outcome)
  // A promise is not a decision: taken as `true`, it would repeat a request that succeeded.
  if (typeof said !== 'boolean') return reason
  return said ? (reason ?? 'status') : undefined
}

function ruledReason(outcome: Answer | Loss): RetryReason | undefined {
  if (outcome.kind === 'lost') return outcome.reason
  const { response, problem } = outcome
  const advice = serverAdvice(response.headers)
  if (advice === false) return undefined
  // The server knows that the same request will not succeed.
  if (problem?.retry === 'never' || problem?.retry === 'new-key') return undefined
  if (advice === true) return isInProgress(outcome) ? 'in-progress' : 'status'
  // The same key gets the same answer for as long as it is on record.
  if (isReplayed(response)) return undefined
  if (isInProgress(outcome)) return 'in-progress'
  // A server may give its problems other statuses, whose rule would not fit.
  return problem?.retry === 'same-key' || isMomentary(response.status) ? 'status' : undefined
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
 * Whether an answer is final, so that the key is no longer needed. If another attempt with the key
 * has an unknown outcome (`inDoubt`), a session check or router in front of the record may answer
 * 401 or 404 although the request took effect, and a server that was changed since may refuse the
 * key. Then only an answer from behind the record is final.
 */
export function isFinal(answer: Answer, inDoubt: boolean): boolean {
  const { response, problem } = answer
  // Of a 5xx some APIs do not know themselves whether the request took effect, and replay that.
  if (isReplayed(response) && response.status < 500) return true
  // The bytes are those of the earlier attempt, so it is the server that has changed (`key-reused`,
  // `key-invalid`), or something between (`key-missing`).
  if (problem?.retry === 'new-key' || problem?.title === REUSED_TITLE) return !inDoubt
  if (isMomentary(response.status) || isInProgress(answer)) return false
  if (problem?.retry === 'same-key' || problem?.code === 'outcome-unknown') return false
  return response.status < 400 || !inDoubt || HANDLERS_OWN.has(response.status)
}

function isInProgress({ response, problem }: Answer): boolean {
  // Oncekey's own code, whatever status the server gives it (`problemStatus`).
  if (problem?.code === 'in-progress') return true
  return (
    response.status === 409 &&
    (problem?.code === STRIPES_IN_PROGRESS ||
      problem?.title === IN_PROGRESS_TITLE ||
      // A conflict without Retry-After is permanent.
      response.headers.has('retry-after'))
  )
}

function isMomentary(status: number): boolean {
  return status >= 500 || MOMENTARY.has(status)
}
