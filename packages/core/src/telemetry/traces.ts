import type { Decision } from '../contracts/store.ts'
import type { ProblemCode } from '../errors/errors.ts'
import type { EndMessage, RequestFacts } from './channels.ts'
import { type Trace, type TracedContext, traceOf } from './trace.ts'

/**
 * `oncekey:request`: a request from its key to the commit, or a call of `once`. At `start` only
 * `namespace` and `traceparent` are known; the rest is added as the request proceeds.
 */
export interface RequestTrace
  extends TracedContext,
    Unset<Writable<Omit<RequestFacts, 'namespace'>>> {
  readonly namespace: string
  /**
   * The client's W3C Trace Context, if it sent one. A subscriber of `start` may replace it with the
   * `traceparent` of its own span, which the events of the request then carry.
   */
  traceparent: string | undefined
  /** The `traceparent` of the request whose response was replayed, if that request had one. */
  origin?: string | undefined
  /** The store's decision; `undefined` if the store was not asked. */
  decision?: Decision['kind'] | undefined
  /** The problem that was sent in place of the handler's response. */
  code?: ProblemCode | undefined
  /** The status of the response that was sent. */
  status?: number | undefined
  /** The number of the attempt, from 1. */
  attempt?: number | undefined
  disposition?: EndMessage['disposition'] | undefined
  outcome?: EndMessage['outcome'] | undefined
  /** The number of events that the handler emitted. */
  events?: number | undefined
  /** The durations of the claim, the handler and the completion. Milliseconds. */
  claimMs?: number | undefined
  handlerMs?: number | undefined
  completionMs?: number | undefined
}

/** `oncekey:deliver`: one attempt to deliver an event, or a batch, to a consumer. */
export interface DeliverTrace extends TracedContext {
  readonly consumer: string
  readonly events: readonly DeliveredFacts[]
  /** The number of the attempt, from 1. */
  readonly attempt: number
  /**
   * `duplicate`: the inbox had already taken the event in. `failed`: it will be retried, or is
   * dead.
   */
  outcome?: 'done' | 'duplicate' | 'failed'
}

/** The facts about an event that is delivered or published. */
export interface DeliveredFacts {
  readonly id: string
  readonly type: string
  readonly subject: string | null
  readonly occurredAt: Date
  /** The W3C Trace Context in which the event was emitted. */
  readonly traceparent: string | undefined
}

/** `oncekey:publish`: one event was sent to a broker, which confirmed it or did not. */
export interface PublishTrace extends TracedContext {
  /** The publisher's name. */
  readonly publisher: string
  readonly event: DeliveredFacts
}

export const requestTrace: Trace<RequestTrace> = traceOf('oncekey:request')
export const deliverTrace: Trace<DeliverTrace> = traceOf('oncekey:deliver')
export const publishTrace: Trace<PublishTrace> = traceOf('oncekey:publish')

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }
type Unset<T> = { [Name in keyof T]?: T[Name] | undefined }
