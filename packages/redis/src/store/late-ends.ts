import {
  createInsistence,
  ENDS_SENT_FOR_MS,
  endsWithin,
  LATE_ENDS,
  NOT_ENDED,
  warnOfFailure,
} from '@oncekey/core'
import type { Sent } from '../client/run-script.ts'
import { sentOnce } from './sent-once.ts'

/**
 * Sends what ends an attempt again until Redis answers it. It is for scripts that change nothing
 * when they run twice, or after the attempt has lost its key. Nobody waits for it.
 *
 * Without it a response that was ready is lost, and the retry runs the handler again; and a key
 * that was released stays taken until its lease ends.
 */
export interface LateEnds {
  /**
   * Sends what ends an attempt of the key with this id, once the client does not have what was sent
   * before any more.
   */
  insist(id: string, before: Sent<unknown>, send: () => Sent<unknown>): void
  /**
   * If an end of the key is still to be sent, sends it now and waits for the answer; otherwise
   * `undefined`, which costs a claim nothing. A claim that came before the end would find the lease
   * over and run the handler again. It waits for one try that hangs already, and for its own.
   * `false` if that was not over in time, or before the signal aborted.
   */
  tried(id: string, signal: AbortSignal): Promise<boolean> | undefined
  /** Waits until every end is answered; resolves to how many are not after `withinMs`. */
  settled(withinMs: number): Promise<number>
}

export function lateEnds(commandTimeoutMs: number): LateEnds {
  const { attempt, wasSent } = sentOnce<LateEnd>(({ send }) => send(), commandTimeoutMs)
  const insist = createInsistence<LateEnd>({
    attempt,
    isHopeless: () => false,
    ...LATE_ENDS,
    gaveUp: () => warnOfFailure('redis-end', NOT_ENDED),
  })

  return {
    insist(id, before, send) {
      const end = { send }
      wasSent(end, before)
      void insist(id, end, ENDS_SENT_FOR_MS)
    },
    tried(id, signal) {
      const trying = insist.tried(id)
      return trying && endsWithin(trying, 2 * commandTimeoutMs, { signal })
    },
    settled: insist.settled,
  }
}

interface LateEnd {
  readonly send: () => Sent<unknown>
}
