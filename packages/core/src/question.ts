import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { RequestFacts } from './diagnostics.ts'
import type { EngineRequest } from './engine.ts'
import type { Fingerprint, Fingerprints } from './fingerprint.ts'
import type { ResolvedOptions } from './options.ts'
import type { SealKeys } from './seal.ts'
import type { Claim } from './store.ts'

/** What a request asks of a key, in the engine's words: what `begin` makes of a request, and `once` of a call. */
export interface Question {
  /** Whose it is. `route` only where it is known from the start. */
  readonly facts: Omit<RequestFacts, 'route'> & Partial<Pick<RequestFacts, 'route'>>
  readonly fingerprints: readonly [Fingerprint, ...Fingerprint[]]
  /** Asked about once a record does not fit; see {@link Fingerprints}. */
  readonly olderFingerprints?: Fingerprints['older']
  /** What its response is sealed with, as it was when it was asked. */
  readonly seal?: SealKeys | undefined
  readonly traceparent: string | undefined
  readonly signal: AbortSignal | undefined
  /** The request that the answer is for, until the run is over; `undefined` for a call of `once`. */
  request?: EngineRequest | undefined
}

/** The question as a store is asked it. Every claim has a token of its own, so each is a new attempt. */
export function claimOf<Tx>(
  question: Question,
  options: ResolvedOptions<Tx>,
  whenUnknown: 'retake' | 'hold',
): Claim {
  const { namespace, scope, key } = question.facts
  return {
    namespace,
    scope,
    key: key as string,
    fingerprints: question.fingerprints,
    token: randomUUID(),
    leaseMs: options.leaseMs,
    waitMs: options.waitMs,
    whenUnknown,
    signal: question.signal ?? neverAborted(options.waitMs > 0),
  }
}

/** A signal of its own costs microseconds, but adding many listeners to one costs more: for who waits. */
function neverAborted(isListenedTo: boolean): AbortSignal {
  return isListenedTo ? new AbortController().signal : NEVER_ABORTED
}

const NEVER_ABORTED = new AbortController().signal
// Claims that queue for a connection listen too, more than the ten that would be warned of.
setMaxListeners(0, NEVER_ABORTED)
