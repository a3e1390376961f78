import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { isOfRelay } from './outage.ts'
import { type Waiters, waiters } from './waiters.ts'

/** Sends an event, or waits for the send of the same event that is under way. */
export type OneSend = (
  to: string,
  event: DeliveredEvent,
  attempt: AbortSignal,
  send: (isAwaited: () => boolean) => Promise<unknown>,
) => Promise<unknown>

/**
 * Some clients go on with a message whose attempt has timed out. The next attempt then waits for
 * the outcome of that send, so that an outage does not pile up copies in the client. Returns a
 * function that calls `send`, or waits for the send of the same event to the same destination that
 * is under way. `send` can ask whether an attempt waits for it: the one that began it may have
 * timed out, and the next one may have joined.
 *
 * A broker can lose an outcome while the connection to it lives on. So the wait has an end. A send
 * is doubted once three attempts have waited for it in vain although a later send had succeeded
 * before each of them, or once thirty have, if there was no such send: a broker that confirms
 * nothing, in alarm or during a failover, confirms what it has later. `doubted` is then called,
 * which may end what is under way in the client, so that those sends reject; without it, the send
 * is forgotten, and the next attempt sends the event again. In case that does not help, the number
 * of attempts doubles each time, up to 64 times, until an event that was doubted gets through.
 */
export function oneSendEach(doubted?: () => void): OneSend {
  const underWay = new Map<string, Send>()
  let begunSoFar = 0
  let newestDone = 0
  let patience = PATIENCE
  let lastDoubted: string | undefined

  function begin(which: string): Send {
    begunSoFar += 1
    const attempts = waiters()
    const forget = (): void => {
      attempts.end()
      if (underWay.get(which) === made) underWay.delete(which)
    }
    const made: Send = { attempts, number: begunSoFar, doubts: 0, outcome: undefined, forget }
    underWay.set(which, made)
    return made
  }

  function succeeded(which: string, { number }: Send): void {
    newestDone = Math.max(newestDone, number)
    if (which !== lastDoubted) return
    lastDoubted = undefined
    patience = PATIENCE
  }

  function inVain(which: string, sent: Send, isPassed: boolean): void {
    sent.doubts += isPassed ? DOUBTS_IF_PASSED : 1
    if (sent.doubts < patience) return
    sent.doubts = 0
    lastDoubted = which
    patience = Math.min(patience * 2, PATIENCE * MOST_DOUBLED)
    if (doubted === undefined) sent.forget()
    else doubted()
  }

  return (to, event, attempt, send) => {
    const which = JSON.stringify([to, event.id])
    const mine = underWay.get(which) ?? begin(which)
    const isPassed = newestDone > mine.number
    mine.attempts.add(attempt, () => {
      if (!isOfRelay(attempt)) inVain(which, mine, isPassed)
    })
    mine.outcome ??= send(mine.attempts.isAwaited)
      .then(() => succeeded(which, mine))
      .finally(mine.forget)
    return mine.outcome
  }
}

interface Send {
  readonly attempts: Waiters
  /** Its number among all sends, in the order in which they began. */
  readonly number: number
  /** One for each attempt that waited in vain, and more if a later send had succeeded by then. */
  doubts: number
  outcome: Promise<unknown> | undefined
  readonly forget: () => void
}

const PATIENCE = 30
const DOUBTS_IF_PASSED = 10
const MOST_DOUBLED = 64
