import { type Channel, channel } from 'node:diagnostics_channel'
import { messageOf, type Trace, type TracedContext, traceOf } from '@oncekey/core'
import type { SagaAlert } from './alert.ts'

/** `oncekey:saga-attempt`: an attempt of a step or its compensation begins. */
export interface SagaAttemptMessage {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly step: string
  readonly direction: 'run' | 'compensate'
  readonly attempt: number
}

/**
 * `oncekey:saga-recorded`: the outcome of an attempt is committed. `retry`: it failed and will be
 * repeated.
 */
export interface SagaRecordedMessage extends SagaAttemptMessage {
  readonly outcome: 'done' | 'retry' | 'failed'
  readonly durationMs: number
}

/** `oncekey:saga-step`: the trace of an attempt of a step or its compensation. */
export interface SagaStepTrace extends TracedContext, SagaAttemptMessage {
  readonly traceparent: string | undefined
  /** How the attempt ended. For `lost`, `cancelled` and `in-doubt` nothing was recorded. */
  outcome?: 'begun' | 'done' | 'retry' | 'failed' | 'lost' | 'cancelled' | 'in-doubt'
}

export const sagaStepTrace: Trace<SagaStepTrace> = traceOf('oncekey:saga-step')

/** `oncekey:saga-end`: a run has ended. */
export interface SagaEndMessage {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly state: 'completed' | 'compensated'
}

/**
 * `oncekey:saga-lost`: another process has taken over a run, and the step under way here is
 * discarded.
 */
export interface SagaLostMessage {
  readonly runId: string
  readonly saga: string
}

/** `oncekey:saga-error`: a failure in the background. */
export interface SagaErrorMessage {
  readonly error: unknown
  readonly during: 'poll' | 'renew' | 'drive' | 'alert' | 'backoff' | 'is-permanent' | 'redrive'
  readonly runId?: string
}

/** All channels and their messages. Subscribe with `node:diagnostics_channel`. */
export interface SagaMessages {
  readonly 'oncekey:saga-attempt': SagaAttemptMessage
  readonly 'oncekey:saga-recorded': SagaRecordedMessage
  readonly 'oncekey:saga-end': SagaEndMessage
  readonly 'oncekey:saga-lost': SagaLostMessage
  readonly 'oncekey:saga-alert': SagaAlert
  readonly 'oncekey:saga-error': SagaErrorMessage
}

const channels: Readonly<Record<keyof SagaMessages, Channel>> = {
  'oncekey:saga-attempt': channel('oncekey:saga-attempt'),
  'oncekey:saga-recorded': channel('oncekey:saga-recorded'),
  'oncekey:saga-end': channel('oncekey:saga-end'),
  'oncekey:saga-lost': channel('oncekey:saga-lost'),
  'oncekey:saga-alert': channel('oncekey:saga-alert'),
  'oncekey:saga-error': channel('oncekey:saga-error'),
}

/**
 * Publishes the message if the channel has subscribers; otherwise does not even build it. Returns
 * whether the channel has subscribers.
 */
export function tell<Name extends keyof SagaMessages>(
  name: Name,
  message: () => SagaMessages[Name],
): boolean {
  const { hasSubscribers } = channels[name]
  if (hasSubscribers) channels[name].publish(message())
  return hasSubscribers
}

/**
 * Publishes a failure in the background on its channel. If the channel has no subscribers, emits a
 * process warning for the first failure of each kind.
 */
export function reportError(message: SagaErrorMessage): void {
  if (tell('oncekey:saga-error', () => message)) return
  const { error, during } = message
  const text = messageOf(error)
  const kind = `${during}: ${text.slice(0, 80)}`
  if (warned.has(kind) || warned.size >= 200) return
  warned.add(kind)
  process.emitWarning(`Sagas (${during}): ${text}`, { code: 'ONCEKEY', type: 'OncekeyWarning' })
}

const warned = new Set<string>()
