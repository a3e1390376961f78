import { noteKey } from './answer.ts'
import { atOnce } from './at-once.ts'
import { type Answer, attempt, holdersOf, type Loss } from './attempt.ts'
import { delayAfter } from './delay.ts'
import { OptionsError, RetryError, type RetryErrorCode } from './errors.ts'
import { type FrozenRequest, freezeRequest, isRequest } from './frozen-request.ts'
import { keyLine, keyOfLine } from './key.ts'
import { type FetchOptions, type ResolvedOptions, resolveOptions, responseMode } from './options.ts'
import { type ClaimPendingKey, type PendingKey, pendingKeys } from './pending-keys.ts'
import { isFinal, retryReason } from './retry-reason.ts'
import type { RetryReason } from './should-retry.ts'
import { sleep, startLimit, type TimeLimit, untilAborted } from './time-limit.ts'

/** The options of `fetch`, and those about the key. */
export interface CallInit extends RequestInit {
  /** The key of this call, which covers it whatever its method. @default a new one */
  readonly idempotencyKey?: string | undefined
  /**
   * With the option `pending`: the name under which the call's key is stored until there is a final
   * answer. It covers the call whatever its method.
   */
  readonly operation?: string | undefined
  /** Overrides the option `response` for this call. @default the option `response` */
  readonly response?: 'buffer' | 'stream' | undefined
}

/** Can be used wherever a `fetch` is expected. */
export type OncekeyFetch = (input: string | URL | Request, init?: CallInit) => Promise<Response>

/**
 * A `fetch` that sends an `Idempotency-Key` with each POST and PATCH, and retries with the same key
 * and the same bytes until there is an answer. Like `fetch` it resolves with any status. It rejects
 * with `RetryError` when no answer arrived, and with the signal's reason when that aborts.
 *
 * @example
 * ```ts
 * const fetch = createFetch()
 *
 * const response = await fetch('https://api.example.com/orders', {
 *   method: 'POST',
 *   headers: { 'content-type': 'application/json' },
 *   body: JSON.stringify({ item: 'violin' }),
 * })
 * ```
 */
export function createFetch(options: FetchOptions = {}): OncekeyFetch {
  const resolved = resolveOptions(options)
  const claimPending = resolved.pending && pendingKeys({ ...resolved.pending, now: resolved.now })

  return async function oncekeyFetch(input, init = {}) {
    const { idempotencyKey, operation, response: mode = resolved.response, ...ownInit } = init
    const method = ownInit.method ?? (isRequest(input) ? input.method : 'GET')
    const wantsKey = idempotencyKey !== undefined || operation !== undefined
    if (!wantsKey && !resolved.methods.has(method.toUpperCase())) return resolved.fetch(input, init)

    const signal = ownInit.signal !== undefined ? ownInit.signal : signalOf(input)
    signal?.throwIfAborted()

    const limit = startLimit(signal, resolved.deadlineMs)
    const call: Call = {
      options: { ...resolved, response: responseMode(mode) },
      limit,
      attempts: 0,
    }
    let streamed: Response | undefined
    try {
      const request = await freezeRequest(
        input,
        ownInit,
        resolved.maxRequestBytes,
        limit.signal,
        resolved.isGlobalFetch,
      )
      const pending = await chooseKey(call, request, { idempotencyKey, operation, claimPending })
      call.key = pending.key
      const answer = await untilAnswered(call, request)
      if (answer.streamed) streamed = answer.response
      if (isFinal(answer, pending.resumed || call.attempts > 1)) {
        // A received answer must not be lost to a storage that hangs.
        await untilAborted(limit.signal, pending.settle()).catch(() => {})
      }
      noteKey(answer.response, pending.key)
      return answer.response
    } catch (error) {
      if (limit.ranOut() && error === limit.signal.reason) {
        throw unanswered('deadline-exceeded', call, call.lastError ?? error)
      }
      throw error
    } finally {
      // While a body is arriving, the time limit no longer applies, but the caller's signal does.
      if (streamed !== undefined) limit.stopClock(holdersOf(streamed))
      else limit.end()
    }
  }
}

/** One logical call: any number of attempts with one key. */
interface Call {
  readonly options: ResolvedOptions
  readonly limit: TimeLimit
  attempts: number
  key?: string
  lastError?: unknown
}

// Checked before reading, because a runtime's Request may lack it.
function signalOf(input: string | URL | Request): AbortSignal | undefined {
  return isRequest(input) ? input.signal : undefined
}

/** Sets the caller's key, a pending key or a new one in the request's headers. */
async function chooseKey(
  call: Call,
  request: FrozenRequest,
  from: {
    readonly idempotencyKey: string | undefined
    readonly operation: string | undefined
    readonly claimPending: ClaimPendingKey | undefined
  },
): Promise<PendingKey> {
  const { header, keyFormat, makeKey } = call.options
  const { idempotencyKey, operation, claimPending } = from
  const line = request.headers.get(header)
  if (
    [line ?? undefined, idempotencyKey, operation].filter((given) => given !== undefined).length > 1
  ) {
    throw new OptionsError(
      `A call takes its key from one place: the ${header} header, idempotencyKey, or operation, which keeps its own.`,
    )
  }
  // Sent unchanged, because the caller may know how the server parses it.
  if (line !== null) return unkept(keyOfLine(line))

  const pending =
    operation === undefined
      ? unkept(idempotencyKey ?? makeKey())
      : await claim(call, request, operation, claimPending)
  request.headers.set(header, keyLine(pending.key, keyFormat))
  return pending
}

function unkept(key: string): PendingKey {
  return { key, resumed: false, settle: async () => {} }
}

async function claim(
  { options, limit }: Call,
  request: FrozenRequest,
  operation: string,
  claimPending: ClaimPendingKey | undefined,
): Promise<PendingKey> {
  if (claimPending === undefined) {
    throw new OptionsError(
      'operation keeps the key beyond the page: write `createFetch({ pending: { storage: localStorage } })`, or leave it out.',
    )
  }
  if (request.headers.get('content-type')?.startsWith('multipart/')) {
    throw new OptionsError(
      'operation cannot tell a multipart body again, because its boundary is random: send JSON, or keep the key yourself and give it as `idempotencyKey`.',
    )
  }
  return untilAborted(limit.signal, claimPending(operation, request, options.makeKey))
}

async function untilAnswered(call: Call, request: FrozenRequest): Promise<Answer> {
  const { options, limit } = call
  for (let failures = 0; ; ) {
    call.attempts += 1
    const outcome = await attempt(request, options, limit)
    const reason = retryReason(outcome, call.attempts, options.shouldRetry)
    if (reason === undefined) {
      if (outcome.kind === 'answer') return outcome
      call.lastError = outcome.error
      return ended('attempts-exhausted', call, outcome)
    }

    if (outcome.kind === 'lost') call.lastError = outcome.error
    if (reason !== 'in-progress') failures += 1
    const delayMs = delayAfter(outcome, call.attempts, options)
    if (failures >= options.maxAttempts) return ended('attempts-exhausted', call, outcome)
    if (delayMs >= limit.remainingMs()) return ended('deadline-exceeded', call, outcome)

    tell(call, outcome, reason, delayMs)
    // Frees the connection for the next attempt.
    if (outcome.kind === 'answer' && outcome.streamed)
      outcome.response.body?.cancel().catch(() => {})
    await sleep(delayMs, limit.signal)
  }
}

/** Ends without success: returns the last answer, as `fetch` would, or throws if there is none. */
function ended(code: RetryErrorCode, call: Call, outcome: Answer | Loss): Answer {
  if (outcome.kind === 'answer') return outcome
  throw unanswered(code, call, outcome.error)
}

function unanswered(code: RetryErrorCode, call: Call, cause: unknown): RetryError {
  const { attempts, key } = call
  const why =
    code === 'deadline-exceeded' ? `within ${call.options.deadlineMs} ms` : 'and no attempt is left'
  return new RetryError(
    code,
    `No answer after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} ${why}. The request may have taken effect: to ask again, send it with the key of this error.`,
    { attempts, key, cause },
  )
}

function tell(call: Call, outcome: Answer | Loss, reason: RetryReason, delayMs: number): void {
  const { options, attempts, key } = call
  atOnce<unknown>(
    options.onRetry({
      attempt: attempts,
      delayMs,
      reason,
      key: key as string,
      status: outcome.kind === 'answer' ? outcome.response.status : undefined,
      error: outcome.kind === 'lost' ? outcome.error : undefined,
    }),
  )
}
