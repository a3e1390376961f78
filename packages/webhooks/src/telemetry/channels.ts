import { channel } from 'node:diagnostics_channel'
import { messageOf, type Trace, type TracedContext, traceOf, warnOnce } from '@oncekey/core'

/** `oncekey:webhook-attempt`: an attempt to deliver ended. */
export interface WebhookAttemptMessage {
  readonly deliveryId: string
  readonly endpointId: string
  /** The event's id, sent as `webhook-id`. */
  readonly messageId: string
  /** The first is 1. */
  readonly attempt: number
  readonly state: 'delivered' | 'retry' | 'dead'
  readonly status: number | undefined
  /** A word for the kind of failure, such as `timeout` or `status 500`. */
  readonly error: string | undefined
  readonly durationMs: number
  /** How long until the next try. Milliseconds. */
  readonly delayMs: number | undefined
}

/** `oncekey:webhook-endpoint`: an endpoint has been failing for a while, or was disabled. */
export interface WebhookEndpointMessage {
  readonly endpointId: string
  readonly customer: string | null
  readonly url: string
  /**
   * How much it has reached of each of `disableAfterMs`, `disableAfterAttempts` and
   * `disableAfterEvents`, of which the least counts; undefined if a 410 disabled it.
   */
  readonly failingPercent: 50 | 70 | 90 | 100 | undefined
  readonly failingSince: Date | undefined
  /** Why it was disabled; undefined if it was not. */
  readonly disabled: 'gone' | 'failing' | undefined
}

/** `oncekey:webhook-error`: something failed on our side, and no receiver is to blame. */
export interface WebhookErrorMessage {
  readonly error: unknown
  readonly during:
    | 'claim'
    | 'attempt'
    | 'classify'
    | 'schedule'
    | 'settle'
    | 'release'
    | 'hook'
    | 'redrive'
  readonly deliveryIds: readonly string[]
}

/** `oncekey:webhook`: the trace of an attempt to deliver. */
export interface WebhookTrace extends TracedContext, Partial<Writable<Ended>> {
  readonly deliveryId: string
  readonly endpointId: string
  readonly messageId: string
  readonly attempt: number
  readonly url: string
}

type Ended = Pick<WebhookAttemptMessage, 'state' | 'status'>
type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

export const webhookTrace: Trace<WebhookTrace> = traceOf('oncekey:webhook')

const attempts = channel('oncekey:webhook-attempt')
const endpoints = channel('oncekey:webhook-endpoint')
const errors = channel('oncekey:webhook-error')

/** Publishes the message. If nobody subscribes, the message is not even built. */
export function tellAttempt(message: () => WebhookAttemptMessage): void {
  if (attempts.hasSubscribers) attempts.publish(message())
}

export function tellEndpoint(message: WebhookEndpointMessage): void {
  if (endpoints.hasSubscribers) endpoints.publish(message)
}

/**
 * Publishes a failure of a worker. If nobody subscribes, warns once for each kind, because no
 * caller awaits a worker.
 */
export function tellError(message: WebhookErrorMessage): void {
  if (errors.hasSubscribers) return void errors.publish(message)
  const { error, during } = message
  warnOnce(
    `webhooks-${during}`,
    `Webhooks, ${during}: ${messageOf(error)} (Later failures of this kind are published only on the channel oncekey:webhook-error.)`,
  )
}
