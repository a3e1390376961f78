import type { DueDelivery, LoggedEvent } from '@oncekey/core'
import { attemptError } from '../consumer/attempt-error.ts'
import { unsure } from './held-keys.ts'
import type { RunnerState } from './runner-state.ts'
import { type Entry, hold, type Slot } from './slot.ts'

/**
 * Files an event that only another release of the consumer takes, without trying it. The event
 * waits on file for that release.
 */
export function setAside<Tx>(
  state: RunnerState<Tx>,
  slot: Slot,
  event: LoggedEvent,
  entry: Entry,
): void {
  entry.isEnded = true
  entry.event = undefined
  entry.failed = { event, verdict: { kind: 'retrying', delayMs: 0 }, attempt: null }
  if (state.consumer.ordered) hold(slot, event.orderingKey, 1)
  state.unwritten += 1
  state.writeAt = Math.min(state.writeAt, performance.now() + state.options.advanceEveryMs)
  state.toWrite.wake()
}

/**
 * Makes a delivery a dead letter without calling the consumer, because no release takes its type
 * any longer.
 */
export function giveUp<Tx>(state: RunnerState<Tx>, slot: Slot, due: DueDelivery): void {
  const { name, ordered } = state.consumer
  const { type, orderingKey } = due.event
  const error = new Error(
    `A release of consumer "${name}" took "${type}" when this event was read, but none does now. ` +
      'Deploy a release that takes it and redrive this dead letter, or discard it.',
  )
  error.name = 'UnwantedError'
  const attempt = { startedAtMs: Date.now(), durationMs: 0, error: attemptError(error) }
  if (ordered) {
    hold(slot, orderingKey, -1)
    unsure(state, slot, orderingKey)
  }
  state.ended.push({ slot, due, verdict: { kind: 'dead', reason: 'unwanted' }, attempt })
  state.writeAt = 0
}
