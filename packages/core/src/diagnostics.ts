import { type Channel, channel } from 'node:diagnostics_channel'
import type { Decision } from './store.ts'

/** What every message says of the request it is about. `key` is undefined where none came. */
export interface RequestFacts {
  readonly namespace: string
  readonly scope: string
  readonly key: string | undefined
  /** Method and the pattern of the route, `POST /orders/:id`: for grouping. */
  readonly route: string
}

/** `oncekey:decision`: the store answered a claim. */
export interface DecisionMessage extends RequestFacts {
  readonly decision: Decision['kind']
}

/** `oncekey:end`: an attempt ended. `superseded`: another won; `failed`: nothing is known to be kept. */
export interface EndMessage extends RequestFacts {
  readonly attempt: number
  readonly status: number | undefined
  readonly disposition: 'commit' | 'refuse' | 'release' | 'abandon'
  readonly outcome: 'stored' | 'undone' | 'superseded' | 'failed'
}

/** `oncekey:events-undone`: a handler emitted events and its response undid them. */
export interface EventsUndoneMessage extends RequestFacts {
  readonly status: number | undefined
  readonly types: readonly string[]
}

/** `oncekey:error`: a failure that a client was told of only by its code, or that nobody waited for. */
export interface ErrorMessage extends RequestFacts {
  readonly error: unknown
  /** `option`: a function that is an option threw, or returned what cannot be used, after the handler. */
  readonly during: 'begin' | 'complete' | 'abandon' | 'renew' | 'option'
}

/** `oncekey:appended`: events were committed by this process; a relay in it need not wait to look. */
export interface AppendedMessage {
  readonly count: number
}

/** `oncekey:delivery`: a consumer failed to take an event. */
export interface DeliveryMessage {
  readonly consumer: string
  readonly eventId: string
  readonly type: string
  /** 1 for the first try. */
  readonly attempt: number
  readonly verdict: 'retrying' | 'dead'
  /** When it will be tried again, from now. Milliseconds. */
  readonly delayMs: number
  readonly durationMs: number
  readonly error: unknown
}

/** `oncekey:dead-letter`: an event became one: everything that a line of a log should say. */
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

/** `oncekey:relay-error`: a relay could not do something, and will try again. */
export interface RelayErrorMessage {
  readonly relay: string
  readonly consumer: string | undefined
  readonly during: 'subscribe' | 'lease' | 'read' | 'advance' | 'retry' | 'maintain' | 'alert'
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
  /** What it is about, where it is about one: a consumer, a kind of error. */
  readonly about: string | undefined
  readonly value: number
  readonly threshold: number
  readonly text: string
}

/** Every channel and what is published on it; subscribe with `node:diagnostics_channel`. */
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

/** Free when nobody subscribes: a message is only made when someone listens. Returns whether someone did. */
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
 * Says something once per process and `id`, on the runtime's own warning channel. Ids may hold what
 * clients choose, so past 500 there is one more a minute, and the oldest is forgotten for it.
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
 * Says that something fails, at most once a minute for each kind of failure, and with the next one how
 * often it did meanwhile. `kind` must be one of a few: it is never a path, an id or a message.
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
