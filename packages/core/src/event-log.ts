import { hash } from 'node:crypto'
import type { Standing } from './contracts/subscription-record.ts'
import type { DeadLetterSource } from './dead-letter-source.ts'
import type { Due, FailedDelivery, Settle, TakeDue } from './delivery.ts'
import type { OutboxEvent } from './event.ts'

/**
 * What a log of events has to do for a relay: hand every event to every consumer at least once, and
 * remember how far each has come. Every sentence below is tested by `describeLog` of
 * `@oncekey/conformance`.
 *
 * The log is cut into {@link SLOTS} slots by ordering key. A consumer has one cursor for each slot; a
 * relay leases slots, reads on from their cursors, and moves them. Whatever it writes about a slot is
 * fenced by the epoch of its lease: a relay that lost one changes nothing any more.
 *
 * Positions are opaque text, made by the log and given back to it. A relay may read on from a position
 * that it has not written yet: what is read and what is settled are two things.
 */
export interface EventLog<Tx = unknown> {
  readonly capabilities: EventLogCapabilities

  /**
   * Makes a consumer known; as often as one likes, from any number of processes.
   *
   * - A consumer that is new starts where `startAt` says; one that is known goes on where it was.
   * - From then on no event that it has not passed is taken away, until it is `retired`.
   * - Its list of types is on record.
   */
  subscribe(subscription: Subscription): Promise<void>

  /**
   * Puts on record which types a relay takes for a consumer, and says what it may do: releases with
   * different lists may run side by side. A relay asks again with each lease; `undefined` where the
   * consumer is not known.
   *
   * - What is wanted is the union of the lists of all relays that are alive, and of those that may be
   *   restarting: see `SubscriptionRecord`.
   * - From the moment this has returned no `read` passes an event that any of them takes.
   * - A relay that leaves with `release` takes its list along.
   */
  want(request: Want): Promise<Standing | undefined>

  /** Forgets a consumer and its cursors, so that it holds no events back; its dead letters stay. */
  retire(consumer: string): Promise<void>

  /**
   * Renews what this relay holds of a consumer and takes its fair share of what is free.
   *
   * - A slot is held by one relay at a time; a lease that ran out is free.
   * - Each time a slot is taken its epoch grows, and the holder before is fenced off.
   * - `share` is how many slots are fair, given the relays that have asked lately. Who holds more
   *   finishes what it has begun and lets the rest go with `release`; the log takes none away.
   * - A slot whose last holder went without a word comes with `crashes` counted up; an `advance`
   *   that is `calm` puts that back to 0.
   * - One that is `waiting` renews what it holds, takes nothing, and does not count in the shares.
   */
  lease(request: LeaseRequest): Promise<Lease>

  /**
   * Lets slots go, so that others have them at once. Fenced ones are left alone. A relay that is
   * `leaving` no longer counts when slots are shared.
   */
  release(request: {
    readonly consumer: string
    readonly relay: string
    readonly slots: readonly HeldSlot[]
    readonly leaving: boolean
  }): Promise<void>

  /**
   * The next events after the given positions: at most `limit`, with the position of each.
   *
   * - It ends with the event that brings it to about `maxBytes`, however large that one is.
   * - Every event that was committed is read exactly once by whoever reads on from `next`, in
   *   whatever order transactions commit.
   * - Of one ordering key, events come in the order of their commits, where the transactions that
   *   wrote them were in conflict; of one transaction in the order they were emitted in.
   * - No transaction that is open somewhere, for however long, holds others' events up.
   * - Reading moves nothing and writes nothing.
   * - Only what is wanted is read: `types` in normal form is what `want` answered, or it throws
   *   `subscription-changed` and the reader asks again.
   *
   * Throws `log-restored` where the positions are of another life of the log than this: it crashed,
   * failed over or was restored since, and numbers may have been handed out again. Slots have to be
   * leased anew; some events may come again.
   */
  read(request: ReadRequest): Promise<Page>

  /**
   * Moves cursors, and with them, in the same commit, files what did not succeed: slot by slot, all
   * of it or none. Of a slot in `lost` nothing was written. Cursors never move back.
   *
   * - A delivery that is already on file is left as it is.
   */
  advance(request: Advance): Promise<{ readonly lost: readonly number[] }>

  /**
   * Counts the start of an event whose like may have killed a process before, and says how many
   * starts that makes. Counted by the cursor: another event begins at 1. Fenced: `lost`.
   */
  suspect(request: {
    readonly consumer: string
    readonly slot: HeldSlot
    readonly eventId: string
  }): Promise<number | 'lost'>

  /**
   * Takes up deliveries of these slots whose time has come, the oldest first, and counts a start for
   * each. What was started before and never settled (`starts` above `attempts` + 1) comes alone.
   *
   * - They end with the one that brings them to about `maxBytes`; starts are counted of those that come.
   * - One that was filed behind another of its ordering key comes once that one is settled.
   * - Only those of the given types, if there are any given: the others are another release's.
   * - `nextInMs`: when the next one is due, if there is one.
   */
  takeDue(request: TakeDue): Promise<Due>

  /** Files how deliveries ended. Fenced by slot; what is in `lost` was not written. */
  settle(request: Settle): Promise<{ readonly lost: readonly number[] }>

  /** How many deliveries of each ordering key are retrying in these slots: what an ordered consumer must hold. */
  held(request: {
    readonly consumer: string
    readonly slots: readonly number[]
  }): Promise<
    readonly { readonly slot: number; readonly orderingKey: string; readonly count: number }[]
  >

  /**
   * The inbox: opens a transaction that takes events in, once each for a consumer.
   *
   * - What is written through `handle`, the mark that the events were taken in, and the events given
   *   to `commit`, are one commit.
   * - `fresh` are those that had not been taken in before. Of any number of transactions that take
   *   the same event in at once, at most one commits it.
   *
   * Throws `transaction-unsupported` where `capabilities.transactions` is false, `store-busy`.
   */
  takeIn(request: TakeIn): Promise<Intake<Tx>>

  /**
   * The same for a handler that asked for no transaction and emitted events: the mark and the events
   * in one commit. `duplicate`: it had been taken in before, and nothing was written.
   * Without transactions a log may append the events whatever was before; or know that they were.
   */
  emit(request: {
    readonly consumer: string
    readonly eventId: string
    readonly events: readonly OutboxEvent[]
  }): Promise<'done' | 'duplicate'>

  /** Commits events by themselves, in this order: for code that has no transaction they belong to. */
  append(events: readonly OutboxEvent[]): Promise<void>

  /** How far a consumer is behind. */
  lag(consumer: string): Promise<Lag>

  /** What consumers could not take: all of their deliveries that are `dead`. */
  readonly deadLetters: DeadLetterSource

  /**
   * Takes away what every consumer has passed and has been kept long enough, and says who holds the
   * rest. A relay calls it now and then; safe from any number of processes.
   */
  maintain(): Promise<Maintenance>
}

/** The number of slots. The same in every release and every log. */
export const SLOTS = 64

/** Which slot an ordering key is in. The same in every release, or order would be lost. */
export function slotOf(orderingKey: string): number {
  return hash('sha256', orderingKey, 'buffer').readUInt8(0) % SLOTS
}

/** What a log can do, as data: the relay and the contract suite read it. */
export interface EventLogCapabilities {
  /** For messages and logs: `memory`, `postgres`, `redis`. */
  readonly name: string
  /** Whether `takeIn` works. */
  readonly transactions: boolean
  /** Whether the events of an ordering key are in one slot, so that consumers can be `ordered`. */
  readonly ordering: boolean
  /** `one`: a single session; a transaction that is open keeps everything else waiting. */
  readonly concurrency: 'many' | 'one'
  /** How many transactions of consumers may be open at once. */
  readonly maxTransactions: number
}

export interface Subscription {
  readonly consumer: string
  /** Only these types, or all; `order.*` means all that begin so, `*` all. */
  readonly types: readonly string[] | null
  /** Where one that is new begins: with the oldest event there is, or with the next. */
  readonly startAt: 'beginning' | 'now'
}

export interface Want {
  readonly consumer: string
  readonly relay: string
  /** The list of this relay's release, or all. */
  readonly types: readonly string[] | null
  /** For how long it counts as alive. Milliseconds. */
  readonly leaseMs: number
}

export interface LeaseRequest {
  readonly consumer: string
  /** Who asks: one name for each relay in each process. */
  readonly relay: string
  readonly leaseMs: number
  /** What it believes it holds: the log says which of these it has lost. */
  readonly holding: readonly HeldSlot[]
  /** It gives way to another release: it keeps what it holds until that has ended. @default false */
  readonly waiting?: boolean
}

/** A slot and the proof of holding it. */
export interface HeldSlot {
  readonly slot: number
  readonly epoch: string
}

export interface Lease {
  /** How many slots this relay should hold. */
  readonly share: number
  /** How many relays have asked lately. */
  readonly relays: number
  /** Taken just now: read on from `position`. */
  readonly taken: readonly TakenSlot[]
  /** No longer this relay's: stop, nothing of it will be kept. */
  readonly lost: readonly number[]
}

export interface TakenSlot extends HeldSlot {
  readonly position: Position
  /** How often in a row its holder went without a word, this time included. */
  readonly crashes: number
}

/** Where a reader is in a slot. Opaque. */
export type Position = string

export interface ReadRequest {
  readonly consumer: string
  readonly types: readonly string[] | null
  readonly slots: readonly { readonly slot: number; readonly position: Position }[]
  readonly limit: number
  /** Of data and headers. @default PAGE_BYTES */
  readonly maxBytes?: number
}

export interface Page {
  readonly events: readonly LoggedEvent[]
  /** Of each slot that was asked for: where to read on, which may be further than its last event. */
  readonly next: readonly { readonly slot: number; readonly position: Position }[]
  /**
   * Whether anything was passed, wanted or not; a log may leave it out. Where nothing was, there is no
   * need to write where reading goes on.
   */
  readonly passed?: boolean
  /** Whether there may be more already: it stopped at `limit`, or looked at how things were before. */
  readonly more: boolean
}

/** An event as a log reads it: raw, because most consumers do not look at all of it. */
export interface LoggedEvent {
  readonly slot: number
  /** Where a reader is that has settled this event and all before it. */
  readonly position: Position
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** JSON text, as it was written. */
  readonly data: string
  /** JSON text of an object of strings. */
  readonly headers: string
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number
}

export interface Advance {
  readonly consumer: string
  readonly slots: readonly (HeldSlot & {
    readonly position: Position
    /** Nothing that was under way when a holder went without a word is ahead any more. */
    readonly calm: boolean
    /** What was passed without success, in order; everything else that was passed is done. */
    readonly failed: readonly FailedDelivery[]
  })[]
}

export interface TakeIn {
  readonly consumer: string
  readonly eventIds: readonly string[]
  /** For all of it: a place, the connection, BEGIN. Milliseconds. */
  readonly timeoutMs: number
}

/** Ends exactly once, through `commit` or `rollback`; from then on `handle` throws `transaction-over`. */
export interface Intake<Tx> {
  readonly handle: Tx
  readonly fresh: ReadonlySet<string>
  /** Throws where it is not known to have committed. */
  commit(events: readonly OutboxEvent[]): Promise<void>
  /** Never rejects. */
  rollback(): Promise<void>
}

export interface Lag {
  /** Events not yet passed; counted up to 10,000. */
  readonly events: number
  /** How long the oldest of them has been waiting, by the clock of the log: not by `occurredAtMs`. */
  readonly oldestMs: number | null
  /** How long the oldest writing transaction has been open, and who has it: it does not stop the log, but retention waits for it. */
  readonly horizon: { readonly ageMs: number; readonly pid: string } | null
}

export interface Maintenance {
  /** Events taken away, in whatever portions the log has them. */
  readonly dropped: number
  /** Consumers that hold events back and have no relay: removed or renamed, most likely. */
  readonly missing: readonly { readonly consumer: string; readonly lastSeenAt: Date }[]
  /** Consumers that no longer hold events back: they were missing for too long. */
  readonly abandoned: readonly string[]
}
