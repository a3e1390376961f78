import type { Operations } from '../acts/operations.ts'
import type { OutboxEvent } from './events/event.ts'
import type { Fingerprint } from './fingerprint.ts'
import type { Keys } from './keys.ts'
import type { StoredResponse } from './stored-response.ts'

/**
 * The contract of a store: it answers one question (`begin`) and keeps one promise (the attempt
 * that it hands out ends in exactly one way). Every sentence below is tested by `describeStore` of
 * `@oncekey/conformance`; a store that passes it works with every adapter.
 *
 * The outcomes of a claim are values. An exception means misuse or a broken store: an {@link
 * OncekeyError} with one of the codes named below, or any other error for a store that cannot be
 * reached (the engine answers 503 and does not run the handler). The store itself bounds the time
 * of every call, because the engine waits for it.
 */
export interface Store<Tx = unknown> {
  readonly capabilities: StoreCapabilities

  /**
   * Decides atomically what is true of a key.
   *
   * - Of any number of concurrent claims on one key at most one gets `run`. In lease mode another
   *   gets it only after that attempt's lease ran out or the attempt was abandoned.
   * - The record decides first: a finished key gives `replay` (or `mismatch`, or `result-gone`)
   *   however many claims arrive at once.
   * - `mismatch` never changes the record.
   * - A claim repeated with the token of the running attempt, because its reply was lost, belongs
   *   to that attempt: it gets `run` again, not `in-progress`.
   * - In lease mode a claim holds no key unless its `begin` was answered `run`. If it threw, or was
   *   answered otherwise after a reply was lost, the store may not know whether a copy of the claim
   *   has won or still will: it gives the claim back. An attempt that the claim took over is then
   *   `unknown` again, and the claim's token can no longer win the key.
   * - In lease mode a claim with `retakes` takes over no attempt but the one with that name: if the
   *   outcome of another one is unknown by then, it gets `unknown` with that one's name.
   * - With `waitMs`, a claim that meets a running attempt waits that long for its end before it
   *   gets `in-progress`, without polling and without starving the running attempts.
   * - Keys are compared byte by byte; namespaces and scopes never mix.
   *
   * Throws `store-busy` (no capacity within the store's own deadline), `store-not-migrated`.
   */
  begin(claim: Claim): Promise<Decision<Tx>>

  /**
   * Opens an attempt without a record, for a route called without a key: transaction and events
   * only. `leaseMs` and `handlerTimeoutMs` mean what they mean in a {@link Claim}.
   */
  open(options: { leaseMs: number; handlerTimeoutMs?: number }): Promise<Attempt<Tx>>

  /**
   * Sends now what the store still has to say to its server: the ends of attempts, and claims to be
   * given back, that got no answer. Waits until each is answered, at most `withinMs`, and returns
   * how many are not; afterwards they are sent as before. A store that never has such work may
   * leave it out.
   */
  settle?(options: { readonly withinMs: number }): Promise<number>

  /** The operator's view of the records, and acts on them. */
  readonly keys: Keys
  /** The audit trail of acts through `keys`: who and why. */
  readonly operations: Operations
}

/** The abilities of a store, as data for the engine and the contract suite. */
export interface StoreCapabilities {
  /** For messages and logs: `memory`, `postgres`, `redis`. */
  readonly name: string
  /**
   * `transaction`: claim, handler and completion are one transaction; an attempt that dies leaves
   * nothing and its key is free at once. `lease`: a claim is visible before the handler runs and is
   * owned for a time; an attempt that ends without reporting its outcome is `unknown`.
   */
  readonly mode: 'transaction' | 'lease'
  /** Whether `attempt.transaction()` works. */
  readonly transactions: boolean
  /** `one`: the store has a single session, so attempts run one after the other. */
  readonly concurrency: 'many' | 'one'
}

/** A claim on a key, on behalf of a request. */
export interface Claim {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /**
   * The fingerprint of the current algorithm first, then those of older ones that a stored record
   * may still carry.
   */
  readonly fingerprints: readonly [Fingerprint, ...Fingerprint[]]
  /**
   * Proves who owns the attempt. The caller makes it, so that a claim repeated after a lost reply
   * finds its own record. A claim that was answered is not asked again under its token, except one
   * that got `run`.
   */
  readonly token: string
  /**
   * Lease mode: how long the attempt may go without renewing. Transaction mode: when the store
   * itself ends an attempt that nobody has ended, such as that of a lost host. Milliseconds.
   */
  readonly leaseMs: number
  /**
   * How long the handler may take. A store that ends a transaction in which nothing is sent waits
   * longer than that, because a handler may call another service between two statements.
   * Milliseconds.
   */
  readonly handlerTimeoutMs?: number
  /**
   * How long to wait for the end of a running attempt; with 0 the decision comes at once.
   * Milliseconds.
   */
  readonly waitMs: number
  /** Lease mode: what to decide when an attempt ended without reporting its outcome. */
  readonly whenUnknown: 'retake' | 'hold'
  /**
   * With `retake`: which attempt the claim takes over, by the name that `unknown` gave it. Without
   * it, whichever ended without reporting its outcome.
   */
  readonly retakes?: string | undefined
  /** Aborted when nobody waits for the decision any more. */
  readonly signal: AbortSignal
}

/** The store's reply to a claim. */
export type Decision<Tx = unknown> =
  | { readonly kind: 'run'; readonly attempt: Attempt<Tx> }
  | {
      readonly kind: 'replay'
      readonly response: StoredResponse
      readonly fingerprint: Fingerprint
    }
  | { readonly kind: 'in-progress'; readonly retryAfterMs: number }
  /** The key was used with another request. Changes nothing. */
  | { readonly kind: 'mismatch' }
  /**
   * Lease mode, with `hold`, or with `retakes` and another attempt: an attempt ended without
   * reporting its outcome. `attempt` names it: no other attempt of the key ever has that name, also
   * none after a release, when the numbers begin again.
   */
  | { readonly kind: 'unknown'; readonly attempt: string; readonly since: Date }
  /** Completed, but the response is no longer kept, or never was. */
  | { readonly kind: 'result-gone' }

/**
 * The right to run the handler, won by one claim. It ends exactly once, through `complete`,
 * `release` or `abandon`; every write it makes is fenced by its token.
 */
export interface Attempt<Tx = unknown> {
  /** 1 for the first attempt, 2 after a takeover, and so on. */
  readonly number: number

  /**
   * Lease mode: when the claim that won this attempt was sent, by `performance.now()`. The engine
   * counts the lease from here, because the store started to count no earlier, however late its
   * reply came, and starts no handler under a lease that is over by then. Without it the engine
   * counts from the reply, so it ends the lease too late by the time that the reply was under way.
   */
  readonly askedAt?: number

  /**
   * The transaction that commits with the response; repeated calls return the same one. From the
   * moment the attempt ends, using it throws `transaction-over` and never reaches a connection. A
   * statement that was sent before the end and not awaited is part of the transaction, or refused
   * in the same way. Throws `transaction-unsupported` where the store has none.
   */
  transaction(): Promise<Tx>

  /**
   * Stores the response. With `writes: 'keep'` the handler's writes and the events commit with it:
   * all of them or none, also when the process dies at any point. With `writes: 'undo'` writes are
   * undone, `events` is empty and only the response is kept.
   *
   * `superseded`: this attempt no longer owned the key (lease lost, another commit won, a
   * serialization conflict), and nothing of it was written. In lease mode a completion that is sent
   * again, because its reply was lost, is `stored` and changes nothing. If the store has lost the
   * attempt, as in a failover, the owner's next call writes it again, unless another attempt has
   * the key by then.
   *
   * Throws `commit-failed` when the outcome cannot be known (the next claim finds out),
   * `transaction-aborted` when the handler swallowed an SQL error, `transaction-ended` when the
   * handler ended the transaction itself, or somebody else on its session did. Nothing was stored
   * in the last two cases.
   */
  complete(completion: Completion): Promise<'stored' | 'superseded'>

  /**
   * Undoes writes and forgets the claim, so that a retry runs again. Only for an attempt that did
   * nothing outside the store.
   */
  release(): Promise<void>

  /**
   * Ends the attempt without an outcome (a throw, a 5xx, a timeout) and undoes writes. In
   * transaction mode the key is then free; in lease mode it is `unknown` from now on.
   */
  abandon(): Promise<void>

  /**
   * Lease mode: extends the lease to `leaseMs` from now. `stale`: the lease is lost. A reply that
   * comes after the lease's end is worth nothing, and the caller takes the lease for lost: before
   * the store had the renewal, it may have let another attempt begin.
   */
  renew(leaseMs: number): Promise<'held' | 'stale'>
}

/** How an attempt ended. */
export interface Completion {
  readonly response: StoredResponse
  /** Committed with the response, in this order. Empty when `writes` is `undo`. */
  readonly events: readonly OutboxEvent[]
  readonly writes: 'keep' | 'undo'
}
