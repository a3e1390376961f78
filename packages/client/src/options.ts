import { OptionsError } from './errors.ts'
import { type KeyFormat, randomKey } from './key.ts'
import type { PendingOptions, PendingStorage } from './pending-keys.ts'
import type { RetryReason, ShouldRetry } from './should-retry.ts'

/** A retry that is about to happen, and why. */
export interface RetryEvent {
  /** The number of the failed attempt, from 1. */
  readonly attempt: number
  /** The wait until the next attempt. Milliseconds. */
  readonly delayMs: number
  readonly reason: RetryReason
  readonly key: string
  /** The status of an answer that asks for another attempt. */
  readonly status: number | undefined
  /** The error of a lost attempt. */
  readonly error: unknown
}

/** Every option has a default: `createFetch()` works. */
export interface FetchOptions {
  /**
   * Methods that get a key and retries; others pass through unchanged. @default ['POST', 'PATCH']
   */
  readonly methods?: readonly string[]
  /** The header that carries the key. @default 'Idempotency-Key' */
  readonly header?: string
  /**
   * `bare` is what Stripe and most APIs expect; some would take quotes as part of the key. Oncekey
   * accepts both. `quoted` is for servers that follow draft-07 section 2.1 strictly. @default
   * 'bare'
   */
  readonly keyFormat?: KeyFormat
  /** Makes the key of a call without one. @default a random UUID */
  readonly makeKey?: () => string
  /**
   * How many attempts there are at most, the first included. After the last of them fails, its
   * response is returned, or `attempts-exhausted` thrown if it got none. A 409 `in-progress` does
   * not count: an earlier attempt is still running, and `deadlineMs` limits the wait. @default 6
   */
  readonly maxAttempts?: number
  /**
   * How long one attempt may take, including its body. Milliseconds. @default 35_000, so that a
   * server's own timeout of 30 s comes first
   */
  readonly attemptTimeoutMs?: number
  /**
   * How long a call may take, including all attempts and waits. A sleep of the computer counts: no
   * attempt begins later than that. Milliseconds. @default 120_000
   */
  readonly deadlineMs?: number
  /** The upper limit of the first wait; it doubles with each attempt. Milliseconds. @default 500 */
  readonly baseDelayMs?: number
  /** The highest value of that limit. Milliseconds. @default 10_000 */
  readonly maxDelayMs?: number
  /**
   * The longest `Retry-After` to wait for; an answer with a longer one is the last. Milliseconds.
   * @default 60_000
   */
  readonly maxRetryAfterMs?: number
  /**
   * `buffer`: a response arrives completely or is retried. `stream`: it is returned as soon as it
   * begins, and the caller handles a body that is cut. @default 'buffer'
   */
  readonly response?: 'buffer' | 'stream'
  /**
   * Larger responses are returned as streams, except problems (RFC 9457) of up to 64 KiB. Bytes.
   * @default 8_388_608
   */
  readonly maxResponseBytes?: number
  /**
   * The largest request body that can be read only once; a larger one is refused. Bytes.
   * @default 8_388_608
   */
  readonly maxRequestBytes?: number
  /** Keeps the keys of unfinished calls beyond the page. @default none */
  readonly pending?: PendingOptions
  /**
   * Decides before the built-in rules: `true` retries with the same key, `false` returns the
   * outcome, anything else (including a promise) leaves it to the rules. Not called for calls ended
   * by their signal. @default the rules
   */
  readonly shouldRetry?: ShouldRetry
  /** Called before each wait, and not awaited. Throwing ends the call. */
  readonly onRetry?: (event: RetryEvent) => void
  /**
   * Sends an attempt. It is called with a URL, so a `dispatcher` of Node that a `Request` was made
   * with does not reach it, because no property of the request shows it: pass that in `init`.
   * @default the global `fetch`, looked up at each attempt; Node's own gets the `Request` itself,
   * that of Next.js and of other runtimes the URL
   */
  readonly fetch?: typeof fetch
  /** The source of the jitter, from 0 to below 1; for tests. @default Math.random */
  readonly random?: () => number
  /**
   * The wall clock, for `Retry-After` dates, the age of pending keys and, beside a monotonic one,
   * the deadline. Milliseconds. @default Date.now
   */
  readonly now?: () => number
}

/** Options after validation, with every default filled in. */
export interface ResolvedOptions {
  readonly methods: ReadonlySet<string>
  readonly header: string
  readonly keyFormat: KeyFormat
  readonly makeKey: () => string
  readonly maxAttempts: number
  readonly attemptTimeoutMs: number
  readonly deadlineMs: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  readonly maxRetryAfterMs: number
  readonly response: 'buffer' | 'stream'
  readonly maxResponseBytes: number
  readonly maxRequestBytes: number
  readonly pending: Required<PendingOptions> | undefined
  readonly shouldRetry: ShouldRetry
  readonly onRetry: (event: RetryEvent) => void
  readonly fetch: typeof fetch
  /** Whether no `fetch` was given. The global one may be Node's own, or what somebody put there. */
  readonly isGlobalFetch: boolean
  readonly random: () => number
  readonly now: () => number
}

/**
 * Validates options and fills in their defaults. Throws an `OptionsError` that says what to write
 * instead.
 */
export function resolveOptions(options: FetchOptions): ResolvedOptions {
  const send = func('fetch', options.fetch)
  return {
    methods: methodSet(options.methods ?? ['POST', 'PATCH']),
    header: headerName(options.header ?? 'Idempotency-Key'),
    keyFormat: oneOf('keyFormat', options.keyFormat ?? 'bare', ['bare', 'quoted']),
    makeKey: func('makeKey', options.makeKey) ?? randomKey,
    maxAttempts: positive('maxAttempts', options.maxAttempts ?? 6),
    attemptTimeoutMs: milliseconds('attemptTimeoutMs', options.attemptTimeoutMs ?? 35_000, 1),
    deadlineMs: milliseconds('deadlineMs', options.deadlineMs ?? 120_000, 1),
    baseDelayMs: milliseconds('baseDelayMs', options.baseDelayMs ?? 500, 0),
    maxDelayMs: milliseconds('maxDelayMs', options.maxDelayMs ?? 10_000, 0),
    maxRetryAfterMs: milliseconds('maxRetryAfterMs', options.maxRetryAfterMs ?? 60_000, 0),
    response: responseMode(options.response ?? 'buffer'),
    maxResponseBytes: positive('maxResponseBytes', options.maxResponseBytes ?? 8 * 1024 * 1024),
    maxRequestBytes: positive('maxRequestBytes', options.maxRequestBytes ?? 8 * 1024 * 1024),
    pending: options.pending && pendingOptions(options.pending),
    shouldRetry: func('shouldRetry', options.shouldRetry) ?? (() => undefined),
    onRetry: func('onRetry', options.onRetry) ?? (() => {}),
    // Called as a plain function, because a browser's fetch must not be a method of another object.
    fetch: (input, init) => (send ?? globalThis.fetch)(input, init),
    isGlobalFetch: send === undefined,
    random: func('random', options.random) ?? Math.random,
    now: func('now', options.now) ?? Date.now,
  }
}

/** Validates the response mode of the options or of one call. */
export function responseMode(mode: 'buffer' | 'stream'): 'buffer' | 'stream' {
  return oneOf('response', mode, ['buffer', 'stream'])
}

function pendingOptions(pending: PendingOptions): Required<PendingOptions> {
  const methods = ['getItem', 'setItem', 'removeItem'] as const
  const storage: PendingStorage | undefined = pending?.storage
  if (!methods.every((name) => typeof storage?.[name] === 'function')) {
    throw new OptionsError(
      'pending.storage needs getItem, setItem and removeItem: write `pending: { storage: localStorage }`.',
    )
  }
  if (globalThis.crypto?.subtle === undefined) {
    throw new OptionsError(
      'pending needs crypto.subtle, which browsers give to secure contexts only: serve the page over HTTPS or from localhost, or leave `pending` out.',
    )
  }
  const { prefix = 'oncekey:', expiresAfterMs = 23 * 60 * 60 * 1000 } = pending
  if (typeof prefix !== 'string') {
    throw new OptionsError(`pending.prefix must be a string, not ${JSON.stringify(prefix)}.`)
  }
  return { storage, prefix, expiresAfterMs: positive('pending.expiresAfterMs', expiresAfterMs) }
}

function methodSet(methods: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(methods) || methods.length === 0) {
    throw new OptionsError("methods must be a list that is not empty: write `methods: ['POST']`.")
  }
  return new Set(methods.map((method) => String(method).toUpperCase()))
}

function headerName(header: string): string {
  // RFC 9110 section 5.1: a token.
  if (typeof header !== 'string' || !/^[!#$%&'*+\-.^_`|~\w]+$/.test(header)) {
    throw new OptionsError(
      `header must be the name of a header, such as 'Idempotency-Key', not ${JSON.stringify(header)}.`,
    )
  }
  return header
}

function milliseconds(option: string, value: number, least: number): number {
  // setTimeout fires at once above 2^31 - 1.
  if (!Number.isInteger(value) || value < least || value > 2 ** 31 - 1) {
    throw new OptionsError(
      `${option} must be a whole number of milliseconds from ${least} to 2_147_483_647, not ${value}.`,
    )
  }
  return value
}

function positive(option: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new OptionsError(`${option} must be a positive whole number, from 1, not ${value}.`)
  }
  return value
}

function oneOf<Choice extends string>(
  option: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (!choices.includes(value)) {
    throw new OptionsError(
      `${option} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}, not ${JSON.stringify(value)}.`,
    )
  }
  return value
}

function func<F>(option: string, value: F): F {
  if (value !== undefined && typeof value !== 'function') {
    throw new OptionsError(`${option} must be a function, not ${JSON.stringify(value)}.`)
  }
  return value
}
