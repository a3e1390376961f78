import { brokenStore } from '../broken-store.ts'

/** A waiter that sleeps for its whole time and only then looks. */
export const waitsForFinished = brokenStore({
  fault: 'takes a finished key for a busy one while it may wait',
  steps: (right) => {
    const waitingUntil = new Map<string, number>()
    return {
      isLocked(_id, { token, waitMs }) {
        const until = waitingUntil.get(token) ?? performance.now() + waitMs
        waitingUntil.set(token, until)
        return performance.now() < until
      },
      whenStillBusy: right.whenStillBusy,
    }
  },
  caughtBy: [
    'waiting: does not happen for a finished key',
    'waiting: for another request ends with `mismatch`, at the latest when the attempt completes',
    'waiting: starves neither the running attempt nor others',
    'a result that is gone: is the decision for a waiting claim, too',
  ],
})
