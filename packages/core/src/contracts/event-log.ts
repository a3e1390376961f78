import type { ConsumerControl } from '../acts/consumer-control.ts'
import type { Operations } from '../acts/operations.ts'
import type { DeadLetterSource } from './dead-letter-source.ts'
import type { Due, FailedDelivery, Settle, TakeDue } from './delivery.ts'
import type { OutboxEvent } from './events/event.ts'
import type { LogInbox } from './inbox.ts'
import type { Page, ReadRequest } from './logged-event.ts'
import type { Maintenance, Retired, RetireOptions } from './retirement.ts'
import type { HeldSlot, Lease, LeaseRequest, Position } from './slots.ts'
import type { Standing } from './subscription-record.ts'

/**
 * The contract of a log of events: it hands every event to every consumer at least once and
 * remembers how far each has come. Every sentence below, and in {@link LogInbox}, is tested by
 * `describeLog` of `@oncekey/conformance`.
 *
 * The log is divided into {@link SLOTS} slots by ordering key. A consumer has one cursor per slot.
 * A relay leases slots, reads on from their cursors and moves them. Every write about a slot is
 * fenced by the epoch of its lease, so a relay that has lost a slot changes nothing in it.
 *
 * Positions are opaque text that the log makes and takes back. A relay may read on from a position
 * that it has not written yet: reading ahead and recording outcomes are separate.
 */
export interface EventLog<Tx = unknown> extends LogInbox<Tx> {
  readonly capabilities: EventLogCapabilities

  /**
   * Registers a consumer. May be called any number of times, from any number of processes.
   *
   * - A new consumer starts where `startAt` says; a known one continues where it was.
   * - From then on every event that the consumer has not passed is kept, until it is retired.
   * - Its list of types is recorded.
   */
  subscribe(subscription: Subscription): Promise<void>

  /**
   * Records which types a relay takes for a consumer, and returns what the relay may do, so that
   * releases with different lists can run side by side. A relay calls it with each lease. Returns
   * `undefined` for an unknown consumer.
   *
   * - The types wanted are the union of the lists of all relays that are alive or may be
   *   restarting: see `SubscriptionRecord`.
   * - Once `want` has returned, no `read` skips an event that any of these relays takes.
   * - A relay that leaves with `release` takes its list out of the union.
   */
  want(request: Want): Promise<Standing | undefined>

  /**
   * Forgets a consumer and its cursors, so that it holds no events back: all of it, or nothing.
   *
   * - Its retrying deliveries are not tried again. They and its dead ones are kept, apart from the
   *   dead letters of live consumers, or discarded; see `RetireOptions`.
   * - What is kept can be listed, with `retired` in a filter, and discarded. A redrive skips it.
   * - A consumer that subscribes under the same name later inherits none of it. It starts anew: an
   *   event that it fails is filed, whatever became of that event before.
   * - Whoever held a slot of the consumer has lost it, even if a new consumer of that name exists.
   * - Events in its inbox stay taken in, for a new consumer of that name too.
   * - Only `subscribe` makes it anew: a relay that runs on does not bring it back, in a later life
   *   of the log either.
   *
   * Throws `OptionsError`.
   */
  retire(consumer: string, options?: RetireOptions): Promise<Retired>

  /**
   * Renews the slots that this relay holds of a consumer, and takes its fair share of free ones.
   *
   * - One relay holds a slot at a time; a slot whose lease ran out is free.
   * - Each time a slot is taken its epoch grows, which fences the previous holder off.
   * - `share` is the fair number of slots, given the relays that have asked lately. A relay that
   *   holds more finishes what it has begun and releases the rest; the log takes none away.
   * - A slot whose last holder disappeared without releasing it has `crashes` counted up. An
   *   `advance` that is `calm` resets the count to 0.
   * - A relay that holds a slot and does not list it is given it again, and no crash is counted. If
   *   its share has shrunk and it does not take the slot, other relays can.
   * - After a crash, failover or restore of the log no lease is valid, but the relays still run:
   *   the first that asks gives every other the length of its lease to come back for its slots.
   * - A relay that is `waiting` renews what it holds, takes nothing, and counts in no share.
   */
  lease(request: LeaseRequest): Promise<Lease>

  /**
   * Releases slots, so that other relays can take them at once. Slots that this relay has lost are
   * left alone.
   *
   * - A relay that is `leaving` no longer counts when slots are shared, and gives back all that it
   *   holds, also what it does not list because a reply was lost. What others hold stays theirs.
   */
  release(request: {
    readonly consumer: string
    readonly relay: string
    readonly slots: readonly HeldSlot[]
    readonly leaving: boolean
  }): Promise<void>

  /**
   * Reads the next events after the given positions: at most `limit`, each with its position.
   *
   * - A page ends with the event that brings it to about `maxBytes`, however large that event is.
   * - A reader that continues from `next` reads every committed event exactly once, in whatever
   *   order transactions commit.
   * - Events of one ordering key come in the order of their commits, where the transactions that
   *   wrote them conflicted. Events of one transaction come in the order in which they were
   *   emitted.
   * - No open transaction, however long it stays open, delays the events of others.
   * - Reading moves no cursor and writes nothing.
   * - Only wanted types are read: `types` in normal form must be what `want` returned. Otherwise it
   *   throws `subscription-changed` and the reader calls `want` again.
   *
   * Throws `log-restored` if the positions belong to an earlier life of the log, which crashed,
   * failed over or was restored since, so that numbers may have been handed out again. Slots then
   * have to be leased anew, and some events may come again.
   */
  read(request: ReadRequest): Promise<Page>

  /**
   * Moves cursors and files the deliveries that failed, in one commit: for each slot all of it or
   * nothing, and nothing for the slots in `lost`. Cursors never move back.
   *
   * - A delivery that is already on file is left as it is.
   */
  advance(request: Advance): Promise<{ readonly lost: readonly number[] }>

  /**
   * Counts a start of an event that may have killed an earlier process, and returns how often it
   * was started. The count is the cursor's: another event begins at 1. `lost`: the slot is held no
   * longer. If this holder disappears too, the next finds the event in `suspect`.
   *
   * - With `backTo`, by which a relay that stops takes a start back, it counts none but sets the
   *   event's count to that number (0: none is suspected), unless another was counted since.
   */
  suspect(request: {
    readonly consumer: string
    readonly slot: HeldSlot
    readonly eventId: string
    readonly backTo?: number
  }): Promise<number | 'lost'>

  /**
   * Claims the due deliveries of these slots, the oldest first, and counts a start for each that is
   * returned. A delivery that was started before and has no recorded outcome (`starts` above
   * `attempts` + 1) is returned alone.
   *
   * - The list ends with the delivery that brings it to about `maxBytes`.
   * - A delivery that was filed behind another of its ordering key is due once that one has ended,
   *   also if that happens while it is being filed.
   * - If types are given, only their deliveries are returned: the others belong to another release.
   * - `nextInMs` says when the next delivery is due, if there is one.
   *
   * With `run`, for a consumer that is ordered:
   *
   * - A delivery is returned only if no earlier one of its ordering key is retrying, or if all of
   *   those are returned too. A redriven one counts as earlier than those that were not waiting for
   *   it.
   * - The followers of the first delivery of a key come in the order of the log, and no start is
   *   counted for them: a relay that does not get to a follower leaves it as it is.
   * - At most the larger of `limit` and `run` deliveries are returned, the first of every ordering
   *   key before the second of any.
   */
  takeDue(request: TakeDue): Promise<Due>

  /**
   * Records how deliveries ended. Fenced by the epoch of each slot; for the slots in `lost` nothing
   * was written. A verdict sent again changes nothing, also if the letter was redriven since, or
   * was started again.
   */
  settle(request: Settle): Promise<{ readonly lost: readonly number[] }>

  /**
   * Counts the retrying deliveries of each ordering key in these slots, or only of the keys given:
   * an ordered consumer must hold back the events behind them.
   */
  held(request: {
    readonly consumer: string
    readonly slots: readonly number[]
    readonly orderingKeys?: readonly string[]
  }): Promise<
    readonly { readonly slot: number; readonly orderingKey: string; readonly count: number }[]
  >

  /**
   * Appends events in a commit of their own, in this order, for code that has no transaction.
   *
   * - Sent again with the same events and `requestId` within an hour, it appends nothing more.
   *
   * Throws `event-invalid`, and appends none, if `emit()` would have refused one of them;
   * `OptionsError`; and `commit-failed` if it is unknown whether they were appended, because a
   * reply was lost. After any other error they were not.
   */
  append(events: readonly OutboxEvent[], options?: AppendRequest): Promise<void>

  /** Measures how far a consumer is behind. `known: false`: it never subscribed, or is retired. */
  lag(consumer: string): Promise<Lag>

  /** The dead letters of the consumers: all their deliveries that are `dead`. */
  readonly deadLetters: DeadLetterSource

  /** Pausing consumers, which every relay obeys. */
  readonly control: ConsumerControl

  /** The audit trail of acts on consumers and dead letters: who and why. */
  readonly operations: Operations

  /**
   * Removes events that every consumer has passed and that have been kept long enough, and reports
   * who holds the rest. What a consumer has taken in with `takeIn` is remembered for as long as the
   * event is there. Without transactions, `emit` remembers for as long as the log says. A
   * relay calls this now and then; safe from any number of processes.
   */
  maintain(): Promise<Maintenance>
}

/** The abilities of a log, as data for the relay and the contract suite. */
export interface EventLogCapabilities {
  /** For messages and logs: `memory`, `postgres`, `redis`. */
  readonly name: string
  /** Whether `takeIn` works. */
  readonly transactions: boolean
  /** Whether the events of an ordering key are in one slot, so that consumers can be `ordered`. */
  readonly ordering: boolean
  /** `one`: the log has a single session, so an open transaction keeps everything else waiting. */
  readonly concurrency: 'many' | 'one'
  /** How many transactions of consumers may be open at once. */
  readonly maxTransactions: number
}

export interface AppendRequest {
  /**
   * The caller's name for what it appends, 1 to 200 characters, such as the id of the first event.
   * @default none; each call appends
   */
  readonly requestId?: string
}

export interface Subscription {
  readonly consumer: string
  /**
   * Only these types, or `null` for all. `order.*` matches all types that start with `order.`, `*`
   * matches all.
   */
  readonly types: readonly string[] | null
  /** Where a new consumer starts: at the oldest event there is, or at the next one. */
  readonly startAt: 'beginning' | 'now'
}

export interface Want {
  readonly consumer: string
  readonly relay: string
  /** The types that this relay's release takes, or `null` for all. */
  readonly types: readonly string[] | null
  /** How long the relay counts as alive. Milliseconds. */
  readonly leaseMs: number
}

export interface Advance {
  readonly consumer: string
  readonly slots: readonly (HeldSlot & {
    readonly position: Position
    /** True once the cursor has passed every event that was under way when a holder disappeared. */
    readonly calm: boolean
    /**
     * The events that the cursor passes although they failed, in order. Every other event that it
     * passes is done.
     */
    readonly failed: readonly FailedDelivery[]
  })[]
}

export interface Lag {
  /**
   * Whether the log knows the consumer. If not, nothing was counted: `events` is 0 and `oldestMs`
   * is null.
   */
  readonly known: boolean
  /** The number of events that the consumer has not passed, counted up to 10,000. */
  readonly events: number
  /** How long the oldest of them has waited by the log's clock, not by its `occurredAtMs`. */
  readonly oldestMs: number | null
  /**
   * The age of the oldest open writing transaction, and which process has it, or `prepared
   * transaction` and its name, if it is one that no process has. It does not stop the log, but
   * retention waits for it.
   */
  readonly horizon: { readonly ageMs: number; readonly pid: string } | null
}
