import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { type Waiters, waiters } from './waiters.ts'

/**
 * Some clients go on with a message whose attempt has timed out. The next attempt then waits for
 * the outcome of that send, so that an outage does not pile up copies in the client. Returns a
 * function that calls `send`, or waits for the send of the same event to the same destination that
 * is under way. `send` can ask whether an attempt waits for it: the one that began it may have
 * timed out, and the next one may have joined.
 */
export function oneSendEach(): (
  to: string,
  event: DeliveredEvent,
  attempt: AbortSignal,
  send: (isAwaited: () => boolean) => Promise<unknown>,
) => Promise<unknown> {
  interface Begun {
    readonly sent: Promise<unknown>
    readonly attempts: Waiters
  }
  const underWay = new Map<string, Begun>()
  return (to, event, attempt, send) => {
    const which = JSON.stringify([to, event.id])
    const begun = underWay.get(which)
    if (begun !== undefined) {
      begun.attempts.add(attempt)
      return begun.sent
    }
    const attempts = waiters()
    attempts.add(attempt)
    const sent = send(attempts.isAwaited).finally(() => {
      underWay.delete(which)
      attempts.end()
    })
    underWay.set(which, { sent, attempts })
    return sent
  }
}
