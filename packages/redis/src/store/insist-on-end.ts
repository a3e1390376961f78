import { type Completion, createInsistence, NOT_ENDED, warnOfFailure } from '@oncekey/core'

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
    mostAtOnce: 16,
    mostOpen: MOST_OPEN,
    gaveUp: () => warnOfFailure('redis-end', NOT_ENDED),
  })

  async function endAll(ends: ReadonlyMap<string, () => Promise<unknown>>): Promise<string[]> {
    const sent = await Promise.allSettled([...ends.values()].map((send) => send()))
    return [...ends.keys()].filter((_, index) => sent[index]?.status === 'fulfilled')
  }

  return (token, send) => void insist(token, send, FOR_MS)
}

/**
 * A completion as it is kept in memory for as long as Redis is away: a large response without its
 * body. Its key never runs again either.
 */
export function forLater(completion: Completion): Completion {
  const { response } = completion
  if ((response.body?.length ?? 0) <= MOST_LATE_BYTES) return completion
  return { ...completion, response: { ...response, headers: [], body: null, seal: null } }
}

/** An hour, as long as a claim is given back. */
const FOR_MS = 3_600_000
/** Times {@link MOST_LATE_BYTES} this is the memory that an outage may take: 64 MiB. */
const MOST_OPEN = 256
const MOST_LATE_BYTES = 262_144
