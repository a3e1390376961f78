import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { PermanentError } from '../consumer/permanent-error.ts'

/**
 * The destination of an event: a fixed name, or the result of the app's function for the event. If
 * that function throws, the error becomes a `PermanentError`, because the function would throw
 * again for the same event, and because the failure says nothing about the broker.
 */
export function destinationFrom(
  option: string,
  destination: string | ((event: DeliveredEvent) => string),
  event: DeliveredEvent,
): unknown {
  if (typeof destination === 'string') return destination
  try {
    const name: unknown = destination(event)
    // The caller refuses a promise. Without this `catch`, a promise that rejects would end the
    // process.
    if (name instanceof Promise) name.catch(() => {})
    return name
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new PermanentError(`${option} failed for event "${event.type}": ${message}`, { cause })
  }
}
