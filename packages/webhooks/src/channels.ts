import { channel } from 'node:diagnostics_channel'
import { warnOnce } from '@oncekey/core'

/** `oncekey:webhook-attempt`: an exchange with a receiver ended. */
export interface WebhookAttemptMessage {
  readonly deliveryId: string
  readonly endpointId: string
  /** The event's id, which is `webhook-id`. */
  readonly messageId: string
  /** The first is 1. */
  readonly attempt: number
  readonly state: 'delivered' | 'retry' | 'dead'
  readonly status: number | undefined
  /** A short word for the kind of failure, such as `timeout` or `status 500`. */
  readonly error: string | undefined
  readonly durationMs: number
  /** Until it is tried again. */
  readonly delayMs: number | undefined
}

/** `oncekey:webhook-endpoint`: an endpoint has been failing for long, or was disabled for it. */
export interface WebhookEndpointMessage {
  readonly endpointId: string
  readonly customer: string | null
  readonly url: string
  /** How much of the time until it is disabled has passed; undefined where a 410 disabled it. */
  readonly failingPercent: 50 | 70 | 90 | 100 | undefined
  readonly failingSince: Date | undefined
  /** Why it was disabled, if it was. */
  readonly disabled: 'gone' | 'failing' | undefined
}

/** `oncekey:webhook-error`: something of ours failed, which no receiver is to blame for. */
export interface WebhookErrorMessage {
  readonly error: unknown
  readonly during: 'claim' | 'attempt' | 'classify' | 'schedule' | 'settle' | 'release' | 'hook'
  readonly deliveryIds: readonly string[]
}

const attempts = channel('oncekey:webhook-attempt')
const endpoints = channel('oncekey:webhook-endpoint')
const errors = channel('oncekey:webhook-error')

/** Free when nobody subscribes. */
export function tellAttempt(message: () => WebhookAttemptMessage): void {
  if (attempts.hasSubscribers) attempts.publish(message())
}

export function tellEndpoint(message: WebhookEndpointMessage): void {
  if (endpoints.hasSubscribers) endpoints.publish(message)
}

/** Nobody waits for a worker, so its failures are heard here, or else as a warning of the process. */
export function tellError(message: WebhookErrorMessage): void {
  if (errors.hasSubscribers) return void errors.publish(message)
  const { error, during } = message
  warnOnce(
    `webhooks-${during}`,
    `Webhooks, ${during}: ${error instanceof Error ? error.message : String(error)} (Later failures of this kind are told on the channel oncekey:webhook-error only.)`,
  )
}
