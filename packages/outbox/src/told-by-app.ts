import type { DeliveredEvent } from './delivered-event.ts'
import { PermanentError } from './permanent-error.ts'

/**
 * Where an event goes, as a publisher's option or the app's function says. A function that throws does
 * so again for the same event, and is the app's fault and not the broker's: `PermanentError`.
 */
export function toldByApp(
  option: string,
  told: string | ((event: DeliveredEvent) => string),
  event: DeliveredEvent,
): unknown {
  if (typeof told === 'string') return told
  try {
    const answer: unknown = told(event)
    // A promise is no answer; one that rejects would end the process.
    if (answer instanceof Promise) answer.catch(() => {})
    return answer
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new PermanentError(`${option} failed for event "${event.type}": ${message}`, { cause })
  }
}
