import { atOnce } from '@oncekey/core/options'
import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { PermanentError } from '../consumer/permanent-error.ts'

/**
 * The destination of an event: a fixed one, or what the app's function returns for the event. If
 * that function throws, the error becomes a `PermanentError`: it would throw again for the same
 * event, and the failure says nothing about the broker.
 */
export function destinationFrom(
  option: string,
  destination: string | object | ((event: DeliveredEvent) => unknown),
  event: DeliveredEvent,
): unknown {
  if (typeof destination !== 'function') return destination
  try {
    // The caller refuses a promise.
    return atOnce(destination(event))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new PermanentError(`${option} failed for event "${event.type}": ${message}`, { cause })
  }
}
