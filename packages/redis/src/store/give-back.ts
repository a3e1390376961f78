import {
  type Claim,
  createInsistence,
  endsWithin,
  NOT_GIVEN_BACK,
  warnOfFailure,
} from '@oncekey/core'
import type { ScriptRunner } from '../client/run-script.ts'
import type { RecordKeys } from './record/record-keys.ts'
import { type GiveBackQuestion, giveBackScript } from './scripts/give-back.ts'
import { sentOnce } from './sent-once.ts'

/**
 * Undoes a claim whose caller was told that the handler does not run. Redis may have carried the
 * claim out although no reply came, or may do so once it is back. The undo follows the claim on its
 * connection. If it fails, or is not answered in time, it is sent until it is answered.
 */
export interface GiveBack {
  (claim: Claim, keys: RecordKeys): void
  /** Waits until every claim is given back; resolves to how many are not after `withinMs`. */
  settled(withinMs: number): Promise<number>
}

export function givingBack(
  scripts: ScriptRunner,
  { commandTimeoutMs, keyRetentionMs }: { commandTimeoutMs: number; keyRetentionMs: number },
): GiveBack {
  const { attempt, wasSent } = sentOnce<GiveBackQuestion>(
    (question) => scripts.send(giveBackScript, question),
    commandTimeoutMs,
  )
  const insist = createInsistence<GiveBackQuestion>({
    attempt,
    isHopeless: () => false,
    mostAtOnce: 64,
    gaveUp: () => warnOfFailure('redis-give-back', NOT_GIVEN_BACK),
  })

  /** The first tries. Those that fail, or get no answer in time, are insisted on. */
  const underWay = new Set<Promise<void>>()

  function undo({ token, leaseMs }: Claim, keys: RecordKeys): void {
    const question = { keys, token, leaseMs, keyRetentionMs }
    const sent = scripts.sendInOrder(giveBackScript, question)
    const first: Promise<void> = sent.inTime.then(
      () => void underWay.delete(first),
      () => {
        // From here on the insistence counts it.
        underWay.delete(first)
        wasSent(question, sent)
        void insist(token, question, Math.max(leaseMs, LEAST_MS))
      },
    )
    underWay.add(first)
  }

  async function settled(withinMs: number): Promise<number> {
    const until = performance.now() + withinMs
    await endsWithin(Promise.all(underWay), withinMs)
    const insistedOn = await insist.settled(Math.max(0, until - performance.now()))
    return underWay.size + insistedOn
  }

  return Object.assign(undo, { settled })
}

/**
 * How long to try at least, even if leases are shorter: an hour. With `whenUnknown: 'hold'`, a
 * claim that is not given back holds its key until an operator frees it.
 */
const LEAST_MS = 3_600_000
