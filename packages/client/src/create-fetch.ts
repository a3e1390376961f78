import { noteKey } from './answer.ts'
import { atOnce } from './at-once.ts'
import { type Answer, attempt, holdersOf, type Loss } from './attempt.ts'
import { onBodyEnd } from './body-end.ts'
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
  /**
   * With `operation`: the key of an earlier call of it, whose outcome you have found out. If that
   * key is stored, it is forgotten, and this call gets a new one. @default none
   */
  readonly forgetKey?: string | undefined
  /** Overrides the option `response` for this call. @default the option `response` */
  readonly response?: 'buffer' | 'stream' | undefined
}

/** Can be used wherever a `fetch` is expected. */
export type OncekeyFetch = (input: string | URL | Request, init?: CallInit) => Promise<Response>

/**
 * A `fetch` that sends an `Idempotency-Key` with each POST and PATCH, and retries with the same key
 * and the same bytes until there is an answer. Like `fetch` it resolves with any status. It rejects
 * with `RetryError` when no answer arrived, and with the signal's reason when that aborts. `keyOf`
 * tells the key in each case.
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
    const { response: mode = resolved.response, ...keyed } = init
    const { idempotencyKey, operation, forgetKey, ...ownInit } = keyed
    const method = ownInit.method ?? (isRequest(input) ? input.method : 'GET')
    const wantsKey = [idempotencyKey, operation, forgetKey].some((given) => given !== undefined)
    if (!wantsKey && !resolved.methods.has(method.toUpperCase())) return resolved.fetch(input, init)

    const signal = ownInit.signal !== undefined ? ownInit.signal : signalOf(input)
    if (signal?.aborted) {
      noteKey(signal.reason, idempotencyKey)
      throw signal.reason
    }

    const limit = startLimit(signal, resolved.deadlineMs, resolved.now)
    const call: Call = {
      options: { ...resolved, response: responseMode(mode) },
      limit,
      attempts: 0,
      keyUntil: Number.POSITIVE_INFINITY,
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
      const chosen = await chooseKey(call, request, {
        idempotencyKey,
        operation,
        forgetKey,
        claimPending,
      })
      call.key = chosen.key
      call.keyUntil = chosen.pending?.until ?? Number.POSITIVE_INFINITY
      const answer = await untilAnswered(call, request)
      if (answer.streamed) streamed = answer.response
      const response = await settle(call, chosen.pending, answer)
      noteKey(response, chosen.key)
      return response
    } catch (error) {
      const end =
        limit.ranOut() && error === limit.signal.reason
          ? unanswered('deadline-exceeded', call, call.lastError ?? error)
          : error
      noteKey(end, keyOfEnd(end, call, idempotencyKey))
      throw end
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
  /** When the key is too old to be sent, by the wall clock. Milliseconds since 1970. */
  keyUntil: number
  lastError?: unknown
}

// Checked before reading, because a runtime's Request may lack it.
function signalOf(input: string | URL | Request): AbortSignal | undefined {
  return isRequest(input) ? input.signal : undefined
}

/** The key for `keyOf`. Before the first attempt only a key that the caller chose is worth it. */
function keyOfEnd(end: unknown, call: Call, own: string | undefined): string | undefined {
  if (end instanceof RetryError) return end.key
  return call.attempts > 0 ? call.key : own
}

/** Where the key of a call comes from. */
interface KeySource {
  readonly idempotencyKey: string | undefined
  readonly operation: string | undefined
  readonly forgetKey: string | undefined
  readonly claimPending: ClaimPendingKey | undefined
}

/** The key of a call, and its entry if it is kept in a storage. */
interface ChosenKey {
  readonly key: string
  readonly pending?: PendingKey
}

/** Sets the caller's key, a pending key or a new one in the request's headers. */
async function chooseKey(call: Call, request: FrozenRequest, from: KeySource): Promise<ChosenKey> {
  const { header, keyFormat, makeKey } = call.options
  const { idempotencyKey, operation, forgetKey } = from
  const line = request.headers.get(header)
  if (
    [line ?? undefined, idempotencyKey, operation].filter((given) => given !== undefined).length > 1
  ) {
    throw new OptionsError(
      `A call takes its key from one place: the ${header} header, idempotencyKey, or operation, which keeps its own.`,
    )
  }
  if (forgetKey !== undefined && operation === undefined) {
    throw new OptionsError(
      'forgetKey is about the stored key of an operation: write that `operation` too, or leave forgetKey out.',
    )
  }
  // Sent unchanged, because the caller may know how the server parses it.
  if (line !== null) return { key: keyOfLine(line) }

  const pending = operation === undefined ? undefined : await claim(call, request, operation, from)
  const key = pending?.key ?? idempotencyKey ?? makeKey()
  request.headers.set(header, keyLine(key, keyFormat))
  return pending === undefined ? { key } : { key, pending }
}

async function claim(
  { options, limit }: Call,
  request: FrozenRequest,
  operation: string,
  { forgetKey, claimPending }: KeySource,
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
  // Checked before it is stored, because the same call would find it there for as long as a day.
  const usableKey = () => {
    const key = options.makeKey()
    keyLine(key, options.keyFormat)
    return key
  }
  const claimed = claimPending(operation, request, usableKey, forgetKey)
  return untilAborted(limit.signal, claimed)
}

/**
 * Deletes the stored key if the answer is final; of a streamed one when its body has been read,
 * because a body that is cut has to be asked for again. Returns the response for the caller.
 */
async function settle(
  { limit, attempts }: Call,
  pending: PendingKey | undefined,
  answer: Answer,
): Promise<Response> {
  const { response, streamed } = answer
  const isSettledBy = (shared: boolean) => isFinal(answer, attempts > 1 || shared)
  if (pending === undefined || !isSettledBy(false)) return response
  if (streamed) return onBodyEnd(response, () => void pending.settle(isSettledBy))
  // A received answer must not be lost to a storage that hangs.
  await untilAborted(limit.signal, pending.settle(isSettledBy)).catch(() => {})
  return response
}

async function untilAnswered(call: Call, request: FrozenRequest): Promise<Answer> {
  const { options, limit } = call
  for (let failures = 0; ; ) {
    // The computer or the page may have slept meanwhile, for longer than servers keep keys.
    if (leftMs(call) <= 0) throw unanswered('deadline-exceeded', call, call.lastError)
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
    if (delayMs >= leftMs(call)) return ended('deadline-exceeded', call, outcome)

    tell(call, outcome, reason, delayMs)
    // Frees the connection for the next attempt.
    if (outcome.kind === 'answer' && outcome.streamed)
      outcome.response.body?.cancel().catch(() => {})
    await sleep(delayMs, limit.signal)
  }
}

/** The time in which another attempt may begin. */
function leftMs({ options, limit, keyUntil }: Call): number {
  return Math.min(limit.remainingMs(), keyUntil - options.now())
}

/** Ends without success: returns the last answer, as `fetch` would, or throws if there is none. */
function ended(code: RetryErrorCode, call: Call, outcome: Answer | Loss): Answer {
  if (outcome.kind === 'answer') return outcome
  throw unanswered(code, call, outcome.error)
}

function unanswered(code: RetryErrorCode, call: Call, cause: unknown): RetryError {
  const { attempts, key } = call
  const why =
    code === 'deadline-exceeded'
      ? `and no time is left for another (deadlineMs: ${call.options.deadlineMs})`
      : 'and no attempt is left'
  return new RetryError(
    code,
    `No answer after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}, ${why}. The request may have taken effect: to ask again, send it with the key of this error.`,
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
