import { type Act, actTarget } from '../acts/act.ts'
import { OptionsError } from '../errors/errors.ts'
import type { Fingerprint } from './fingerprint.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * An operator's view of a store's keys, and acts on them. Tested by `describeStore` of
 * `@oncekey/conformance`.
 *
 * - Reading changes nothing and never waits for a handler.
 * - No act touches a key whose attempt may still be running: it returns `running` and changes
 *   nothing.
 * - An act and its entry in {@link Operations} are one commit.
 */
export interface Keys {
  /** Whether there is a list: a store that has no index of its keys finds them by name only. */
  readonly lists: boolean

  /** Returns `undefined` where no record of the key exists: a request would run. */
  get(key: KeyName, options?: { readonly body?: boolean }): Promise<KeyDetail | undefined>

  /**
   * Lists keys. With a `scope` they come in key order. Without one they come by time: first running
   * and unknown keys by their first claim, the oldest first, then finished ones, the newest first.
   * Each page examines a bounded number of rows, so it may have fewer items than `limit`, or none,
   * and still have a `next`.
   *
   * In transaction mode a running attempt is a transaction that nobody else can see: only `get`
   * reports it.
   *
   * Throws `list-unsupported` where {@link lists} is false.
   */
  list(filter: KeyFilter, page: KeyPageRequest): Promise<KeyPage>

  /** Frees an `unknown` key: the next request with it runs the handler as if for the first time. */
  release(key: KeyName, act: Act): Promise<ActResult>

  /**
   * Finishes an `unknown` key with this response: the next request with it gets it as a replay.
   * Throws {@link OptionsError} and changes nothing if the response could not be sent, because of
   * its status or a header: every retry would fail, and the handler would not run.
   */
  answer(key: KeyName, response: StoredResponse, act: Act): Promise<ActResult>

  /**
   * Forgets a finished key: the next request with it runs the handler again. The fingerprint
   * confirms that the key still stands for the request that the operator saw.
   */
  forget(key: KeyName & { readonly fingerprint: Fingerprint }, act: Act): Promise<ActResult>
}

export interface KeyName {
  readonly namespace: string
  readonly scope: string
  readonly key: string
}

/**
 * `running`: an attempt owns the key. `unknown`: an attempt ended without reporting its outcome
 * (lease mode). `finished`: a response is replayed. `result-gone`: completed, but its response is
 * not kept.
 */
export type KeyState = 'running' | 'unknown' | 'finished' | 'result-gone'

/** `done`, or the reason why nothing was changed. */
export type ActResult =
  | 'done'
  /** No record of the key exists. */
  | 'absent'
  /** The record's fingerprint differs from the given one. */
  | 'other-request'
  | KeyState

export interface KeySummary extends KeyName {
  readonly state: KeyState
  /**
   * While an attempt runs in lease mode: the one that its record will have, to which the engine
   * binds the seal of the response. `null` while one runs in transaction mode.
   */
  readonly fingerprint: Fingerprint | null
  /**
   * The attempt that has the key, or had it last; lease mode only. `null` once there is a response.
   */
  readonly attempt: KeyAttempt | null
  /** The status of the response, once there is one. */
  readonly status: number | null
  readonly completedAt: Date | null
}

export interface KeyAttempt {
  /** 1 for the first attempt, 2 after a takeover, and so on. */
  readonly number: number
  /** When the first attempt claimed the key. */
  readonly claimedAt: Date
  /** When the lease ends, or since when the outcome is unknown. */
  readonly leaseUntil: Date
}

export interface KeyDetail extends KeySummary {
  readonly response: KeyResponse | null
}

/** The stored response as recorded: sealed, where `seal` names the key that it was sealed with. */
export interface KeyResponse extends StoredResponse {
  /** The size of the stored body, also where the body was not requested. */
  readonly bodyBytes: number
}

/** Every given condition must hold. */
export interface KeyFilter {
  readonly namespace?: string
  /** Needs `namespace`. */
  readonly scope?: string
  /** Needs `scope`. */
  readonly keyPrefix?: string
  readonly state?: KeyState
}

export interface KeyPageRequest {
  /** 1 to 1,000. */
  readonly limit: number
  /** `next` of the previous page. */
  readonly after?: string
}

export interface KeyPage {
  readonly items: readonly KeySummary[]
  readonly next: string | undefined
}

/** Names a key in the form of {@link Operation.target}. */
export function keyTarget({ namespace, scope, key }: KeyName): string {
  return actTarget('key', namespace, scope, key)
}

/**
 * Checks a filter. Throws {@link OptionsError} for one that a store could only answer by reading
 * everything.
 */
export function checkKeyFilter({ namespace, scope, keyPrefix }: KeyFilter): void {
  if (scope !== undefined && namespace === undefined) {
    throw new OptionsError(
      "keys.list: `scope` is looked for within a namespace. Write namespace: 'http' beside it.",
    )
  }
  if (keyPrefix !== undefined && scope === undefined) {
    throw new OptionsError(
      'keys.list: `keyPrefix` is looked for within a scope. Write `namespace` and `scope` beside it.',
    )
  }
}

/** Checks the `limit` of a page. Throws {@link OptionsError}. */
export function checkPageLimit(verb: string, limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit
  throw new OptionsError(`${verb}: \`limit\` must be a whole number from 1 to 1,000, such as 50.`)
}
