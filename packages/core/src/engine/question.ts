import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Fingerprint } from '../contracts/fingerprint.ts'
import type { Claim } from '../contracts/store.ts'
import type { EngineRequest } from '../request/engine-request.ts'
import type { Fingerprints } from '../request/fingerprint.ts'
import type { SealKeys } from '../request/seal.ts'
import type { RequestFacts } from '../telemetry/channels.ts'
import type { WatchedRequest } from '../telemetry/watched-request.ts'
import type { ResolvedOptions } from './options.ts'

/** What the engine needs for a claim. `begin` makes a question of a request, `once` of a call. */
export interface Question {
  /** Namespace, scope and key. `route` only where it is known from the start. */
  readonly facts: Omit<RequestFacts, 'route'> & Partial<Pick<RequestFacts, 'route'>>
  readonly fingerprints: readonly [Fingerprint, ...Fingerprint[]]
  /** Older fingerprints, tried when a record does not match; see {@link Fingerprints}. */
  readonly olderFingerprints?: Fingerprints['older']
  /** The keys that the response is sealed with, as they were when the request began. */
  readonly seal?: SealKeys | undefined
  readonly traceparent: string | undefined
  readonly signal: AbortSignal | undefined
  /** The request, until the run ends; `undefined` for a call of `once`. */
  request?: EngineRequest | undefined
  /** Present when somebody subscribes to the trace of this request. */
  readonly watched?: WatchedRequest | undefined
}

/**
 * Makes the claim for a question. Every claim gets a new token, so each one is a new attempt. With
 * `retakes` it takes over that attempt only.
 */
export function claimOf<Tx>(
  question: Question,
  options: ResolvedOptions<Tx>,
  whenUnknown: 'retake' | 'hold',
  retakes?: string,
): Claim {
  const { namespace, scope, key } = question.facts
  return {
    namespace,
    scope,
    key: key as string,
    fingerprints: question.fingerprints,
    token: randomUUID(),
    leaseMs: options.leaseMs,
    handlerTimeoutMs: options.handlerTimeoutMs,
    waitMs: options.waitMs,
    whenUnknown,
    retakes,
    signal: question.signal ?? neverAborted(options.waitMs > 0),
  }
}

/**
 * The same claim with older fingerprints, too. It gets a token of its own: if a reply to the first
 * claim was lost, the store gives that one back in the background, and a token that was given back
 * wins nothing.
 */
export function withOlder(claim: Claim, older: readonly Fingerprint[]): Claim {
  return { ...claim, token: randomUUID(), fingerprints: [...claim.fingerprints, ...older] }
}

/**
 * Claims that wait get a signal of their own: creating one costs microseconds, but adding many
 * listeners to a shared one costs more.
 */
function neverAborted(isListenedTo: boolean): AbortSignal {
  return isListenedTo ? new AbortController().signal : NEVER_ABORTED
}

const NEVER_ABORTED = new AbortController().signal
// Claims that queue for a connection also listen to this signal. Node warns from the eleventh
// listener on, so the limit is lifted.
setMaxListeners(0, NEVER_ABORTED)
