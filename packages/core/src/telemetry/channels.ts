import { type Channel, channel } from 'node:diagnostics_channel'
import type { Decision } from '../contracts/store.ts'

/**
 * The facts about a request that every message has. `key` is undefined where the request had none.
 */
export interface RequestFacts {
  readonly namespace: string
  readonly scope: string
  readonly key: string | undefined
  /** Method and route pattern, `POST /orders/:id`, for grouping. */
  readonly route: string
}

/** `oncekey:decision`: the store decided on a claim. */
export interface DecisionMessage extends RequestFacts {
  readonly decision: Decision['kind']
}

/**
 * `oncekey:end`: an attempt ended. `superseded`: another attempt won; `failed`: it is not known
 * whether anything was kept.
 */
export interface EndMessage extends RequestFacts {
  readonly attempt: number
  readonly status: number | undefined
  readonly disposition: 'commit' | 'refuse' | 'release' | 'abandon'
  readonly outcome: 'stored' | 'undone' | 'superseded' | 'failed'
}

/**
 * `oncekey:events-undone`: a handler emitted events, and the disposition of its response undid
 * them.
 */
export interface EventsUndoneMessage extends RequestFacts {
  readonly status: number | undefined
  readonly types: readonly string[]
}

/**
 * `oncekey:error`: a failure of which the client saw only the code, or that no client was waiting
 * for.
 */
export interface ErrorMessage extends RequestFacts {
  readonly error: unknown
  /**
   * `option`: an option that is a function threw or returned an invalid value after the handler.
   */
  readonly during: 'begin' | 'complete' | 'abandon' | 'renew' | 'option'
}

/** `oncekey:appended`: this process committed events, so a relay in it can read them at once. */
export interface AppendedMessage {
  readonly count: number
}

/** `oncekey:delivery`: a consumer failed to take an event. */
export interface DeliveryMessage {
  readonly consumer: string
  readonly eventId: string
  readonly type: string
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly verdict: 'retrying' | 'dead'
  /** The time until the next attempt. Milliseconds. */
  readonly delayMs: number
  readonly durationMs: number
  readonly error: unknown
}

/**
 * `oncekey:dead-letter`: an event became a dead letter. The message has everything a log line
 * needs.
 */
export interface DeadLetterMessage {
  readonly consumer: string
  readonly eventId: string
  readonly type: string
  readonly subject: string | null
  readonly reason: string
  readonly attempts: number
  readonly occurredAt: Date
  readonly error: { readonly name: string; readonly message: string; readonly fingerprint: string }
}

/** `oncekey:relay-error`: an action of a relay failed; the relay will try it again. */
export interface RelayErrorMessage {
  readonly relay: string
  readonly consumer: string | undefined
  readonly during:
    | 'subscribe'
    | 'lease'
    | 'read'
    | 'advance'
    | 'retry'
    | 'maintain'
    | 'alert'
    | 'redrive'
    | 'pause'
    | 'round'
  readonly error: unknown
}

/** `oncekey:alert`: dead letters or a lag crossed a threshold. */
export interface AlertMessage {
  readonly source: string
  readonly kind:
    | 'depth'
    | 'age'
    | 'new-error'
    | 'lag'
    | 'horizon'
    | 'missing-consumer'
    | 'types-differ'
  /** The consumer or the kind of error that it is about, if there is one. */
  readonly about: string | undefined
  readonly value: number
  readonly threshold: number
  readonly text: string
}

/** Every channel with the type of its messages. Subscribe with `node:diagnostics_channel`. */
export interface Messages {
  readonly 'oncekey:decision': DecisionMessage
  readonly 'oncekey:end': EndMessage
  readonly 'oncekey:events-undone': EventsUndoneMessage
  readonly 'oncekey:error': ErrorMessage
  readonly 'oncekey:appended': AppendedMessage
  readonly 'oncekey:delivery': DeliveryMessage
  readonly 'oncekey:dead-letter': DeadLetterMessage
  readonly 'oncekey:relay-error': RelayErrorMessage
  readonly 'oncekey:alert': AlertMessage
}

const channels: Readonly<Record<keyof Messages, Channel>> = {
  'oncekey:decision': channel('oncekey:decision'),
  'oncekey:end': channel('oncekey:end'),
  'oncekey:events-undone': channel('oncekey:events-undone'),
  'oncekey:error': channel('oncekey:error'),
  'oncekey:appended': channel('oncekey:appended'),
  'oncekey:delivery': channel('oncekey:delivery'),
  'oncekey:dead-letter': channel('oncekey:dead-letter'),
  'oncekey:relay-error': channel('oncekey:relay-error'),
  'oncekey:alert': channel('oncekey:alert'),
}

/**
 * Publishes a message, which is made only if the channel has a subscriber. Returns whether it has
 * one.
 */
export function tell<Name extends keyof Messages>(
  name: Name,
  message: () => Messages[Name],
): boolean {
  const { hasSubscribers } = channels[name]
  if (hasSubscribers) channels[name].publish(message())
  return hasSubscribers
}

const warned = new Set<string>()
const MAX_WARNINGS = 500
const ONE_MORE_EVERY_MS = 60_000
let oneMoreAt = 0

/**
 * Emits a process warning once per `id`. Ids may contain what clients choose, so from 500 ids on
 * there is at most one new warning a minute, and each makes the oldest id forgotten.
 */
export function warnOnce(id: string, message: string, now: number = performance.now()): void {
  if (warned.has(id)) return
  if (warned.size >= MAX_WARNINGS) {
    if (now < oneMoreAt) return
    oneMoreAt = now + ONE_MORE_EVERY_MS
    const [oldest] = warned
    warned.delete(oldest as string)
  }
  warned.add(id)
  warn(message)
}

const failures = new Map<string, { saidAt: number; since: number }>()
const FAILURE_EVERY_MS = 60_000

/**
 * Emits a process warning about a failure, at most once a minute for each `kind`; the next warning
 * says how many failures there were meanwhile. `kind` must be one of a few constants, never a path,
 * an id or a message.
 */
export function warnOfFailure(
  kind: string,
  message: string,
  now: number = performance.now(),
): void {
  const last = failures.get(kind)
  if (last !== undefined && now - last.saidAt < FAILURE_EVERY_MS) {
    last.since += 1
    return
  }
  failures.set(kind, { saidAt: now, since: 0 })
  warn(last?.since ? `${message} (${last.since} more since the last warning)` : message)
}

function warn(message: string): void {
  process.emitWarning(message, { code: 'ONCEKEY', type: 'OncekeyWarning' })
}
