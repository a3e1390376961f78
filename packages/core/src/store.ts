import type { OutboxEvent } from './event.ts'
import type { Fingerprint } from './fingerprint.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * What a store has to do, and nothing else: answer one question (`begin`) and keep one promise (the
 * attempt it handed out ends exactly one way). Every sentence below is tested by `describeStore` of
 * `@oncekey/conformance`; a store that passes it fits every adapter.
 *
 * The outcomes of a claim are values. An exception means misuse or a broken store: a
 * {@link OncekeyError} with one of the codes named below, or, for anything else, a store that cannot
 * be reached (the engine answers 503 and does not run the handler). Every verb settles within a time
 * that the store bounds itself: the engine waits for it.
 */
export interface Store<Tx = unknown> {
  readonly capabilities: StoreCapabilities

  /**
   * Asks, atomically, what is true of a key.
   *
   * - Of any number of concurrent claims on one key at most one gets `run`; in lease mode again only
   *   after that attempt's lease ran out or the attempt was abandoned.
   * - The record decides first: a key that is finished answers `replay` (or `mismatch`, or
   *   `result-gone`) however many claims arrive at once.
   * - `mismatch` never changes the record.
   * - A claim repeated with the token of the running attempt (its reply was lost) is that attempt's
   *   own: it gets `run` again, not `in-progress`.
   * - With `waitMs`, a claim that meets a running attempt waits that long for its end before it
   *   answers `in-progress`, without polling and without starving the running attempts.
   * - Keys are compared byte by byte; namespaces and scopes never meet.
   *
   * Throws `store-busy` (no capacity within the store's own deadline), `store-not-migrated`.
   */
  begin(claim: Claim): Promise<Decision<Tx>>

  /** An attempt without a record, for a route called without a key: transaction and events only. */
  open(options: { leaseMs: number }): Promise<Attempt<Tx>>
}

/** What a store can do, as data: the engine and the contract suite read it. */
export interface StoreCapabilities {
  /** For messages and logs: `memory`, `postgres`, `redis`. */
  readonly name: string
  /**
   * `transaction`: claim, handler and completion are one transaction; an attempt that dies leaves
   * nothing and its key is free at once. `lease`: a claim is visible before the handler runs and is
   * owned for a time; an attempt that ends without saying how is `unknown`.
   */
  readonly mode: 'transaction' | 'lease'
  /** Whether `attempt.transaction()` works. */
  readonly transactions: boolean
  /** `one`: the store has a single session, so attempts run one after the other. */
  readonly concurrency: 'many' | 'one'
}

/** The question a request puts to the store. */
export interface Claim {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /** The current algorithm first, then older ones that a stored record may still carry. */
  readonly fingerprints: readonly [Fingerprint, ...Fingerprint[]]
  /** Proof of owning the attempt, made by the caller: a claim sent again after a lost reply knows its own record. */
  readonly token: string
  /** How long the attempt may go without renewing; in transaction mode the backstop for a lost host. Milliseconds. */
  readonly leaseMs: number
  /** How long to wait for a running attempt's result; 0 answers at once. Milliseconds. */
  readonly waitMs: number
  /** Lease mode: what to answer when an attempt ended without saying how. */
  readonly whenUnknown: 'retake' | 'hold'
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** The store's answer. */
export type Decision<Tx = unknown> =
  | { readonly kind: 'run'; readonly attempt: Attempt<Tx> }
  | {
      readonly kind: 'replay'
      readonly response: StoredResponse
      readonly fingerprint: Fingerprint
    }
  | { readonly kind: 'in-progress'; readonly retryAfterMs: number }
  /** Same key, other request. Changes nothing. */
  | { readonly kind: 'mismatch' }
  /** Lease mode, `whenUnknown: 'hold'`: an attempt ended without saying how. */
  | { readonly kind: 'unknown'; readonly since: Date }
  /** Completed; the response is no longer, or was never, kept. */
  | { readonly kind: 'result-gone' }

/**
 * The right to run the handler, won by one claim. It ends exactly once, through `complete`,
 * `release` or `abandon`; every write it makes is fenced by its token.
 */
export interface Attempt<Tx = unknown> {
  /** 1; 2 after a takeover, and so on. */
  readonly number: number

  /**
   * The transaction that commits with the response; the same one however often it is asked for.
   * From the moment the attempt ends, using it throws `transaction-over` and never reaches a
   * connection. Throws `transaction-unsupported` where the store has none.
   */
  transaction(): Promise<Tx>

  /**
   * Stores the response, and with `writes: 'keep'` commits the handler's writes and the events with
   * it: all of them or none, also when the process dies at any point.
   * With `writes: 'undo'` writes are undone, `events` is empty and only the response is kept.
   *
   * `superseded`: this attempt no longer owned the key (lease lost, another commit won, a
   * serialization conflict). Nothing of it was written. In lease mode a completion that is sent again,
   * because its reply was lost, is `stored` and changes nothing.
   *
   * Throws `commit-failed` when the outcome cannot be known (the next claim tells the truth),
   * `transaction-aborted` when the handler swallowed an SQL error, `transaction-ended` when the
   * handler ended the transaction itself. Nothing was stored in the last two.
   */
  complete(completion: Completion): Promise<'stored' | 'superseded'>

  /** Nothing happened outside: undoes writes and forgets the claim, so that a retry runs again. */
  release(): Promise<void>

  /**
   * Ends without saying how (a throw, a 5xx, a timeout): undoes writes. In transaction mode that is
   * the whole story and the key is free; in lease mode the key is `unknown` from now on.
   */
  abandon(): Promise<void>

  /** Lease mode: owns the key for `leaseMs` more, counted from now. `stale`: it is lost. */
  renew(leaseMs: number): Promise<'held' | 'stale'>
}

/** How an attempt ended. */
export interface Completion {
  readonly response: StoredResponse
  /** Committed with the response, in this order. Empty when `writes` is `undo`. */
  readonly events: readonly OutboxEvent[]
  readonly writes: 'keep' | 'undo'
}
