import {
  createInsistence,
  ENDS_SENT_FOR_MS,
  LATE_ENDS,
  NOT_ENDED,
  warnOfFailure,
} from '@oncekey/core'

/**
 * Sends what ends an attempt again until Redis answers it. It is for scripts that change nothing
 * when they run twice, or after the attempt has lost its key. Nobody waits for it.
 *
 * Without it a response that was ready is lost, and the retry runs the handler again; and a key
 * that was released stays taken until its lease ends.
 */
export type InsistOnEnd = (token: string, send: () => Promise<unknown>) => void

export function insistingOnEnds(): InsistOnEnd {
  const insist = createInsistence<() => Promise<unknown>>({
    attempt: endAll,
    isHopeless: () => false,
    ...LATE_ENDS,
    gaveUp: () => warnOfFailure('redis-end', NOT_ENDED),
  })

  async function endAll(ends: ReadonlyMap<string, () => Promise<unknown>>): Promise<string[]> {
    const sent = await Promise.allSettled([...ends.values()].map((send) => send()))
    return [...ends.keys()].filter((_, index) => sent[index]?.status === 'fulfilled')
  }

  return (token, send) => void insist(token, send, ENDS_SENT_FOR_MS)
}
