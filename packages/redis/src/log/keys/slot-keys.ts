import { hash } from 'node:crypto'
import { SLOTS } from '@oncekey/core'

/**
 * The keys of one slot. They share the hash tag of its stream, so that one script may touch all of
 * them.
 */
export interface SlotKeys {
  /** The stream that the completing script appends to. */
  readonly outbox: string
  /** A hash with the cursor of each consumer. See `scripts/cursor.lua`. */
  readonly consumers: string
  /** A hash of deliveries. See `scripts/delivery.lua`. */
  readonly deliveries: string
  /** A sorted set: dead letters by their time of death, microseconds. */
  readonly dead: string
  /** A sorted set: letters that died within the last hour, to be counted. */
  readonly arrived: string
  /** A sorted set: resolved dead letters by when they were resolved, milliseconds. */
  readonly resolved: string
  /** A sorted set: letters kept from retired consumers by their time of death, microseconds. */
  readonly retired: string
  /** The audit of the partition. A store's keys in the same partition use the same audit. */
  readonly operations: string
}

export function slotKeys(slot: number): SlotKeys {
  const at = `oncekey:{${slot}}:`
  return {
    outbox: `${at}outbox`,
    consumers: `${at}consumers`,
    deliveries: `${at}deliveries`,
    dead: `${at}dead`,
    arrived: `${at}dead-arrived`,
    resolved: `${at}dead-resolved`,
    retired: `${at}dead-retired`,
    operations: `${at}operations`,
  }
}

/** A sorted set: a consumer's retrying deliveries by when they are due, milliseconds. */
export function dueKey(slot: number, consumer: string): string {
  return `oncekey:{${slot}}:due:${consumer}`
}

/**
 * A sorted set: relays that have recently asked for slots of a consumer, by when they stop
 * counting.
 */
export function relaysKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:relays:${consumer}`
}

/**
 * The record of the types that the releases of a consumer take, as JSON: see `SubscriptionRecord`
 * of @oncekey/core.
 */
export function subscriptionsKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:subscriptions:${consumer}`
}

/** The keys of a consumer that are not those of a slot. One script may touch all of them. */
export function partitionKeys(consumer: string): {
  readonly subscriptions: string
  /** A hash: since when the consumer is paused, and by whom. */
  readonly paused: string
  readonly operations: string
} {
  const partition = partitionOf(consumer)
  return {
    subscriptions: subscriptionsKey(consumer),
    paused: `oncekey:{${partition}}:paused:${consumer}`,
    operations: slotKeys(partition).operations,
  }
}

/**
 * The redrives on record and the audit of their acts. They are all in one partition, so that one
 * script can list them. The letters that they take are in their own slots.
 */
export const redriveKeys: { readonly redrives: string; readonly operations: string } = {
  redrives: 'oncekey:{0}:redrives',
  operations: slotKeys(0).operations,
}

/** The mark that a consumer was retired: see `scripts/retirement/retirement-mark.ts`. */
export function retiredKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:retired:${consumer}`
}

/**
 * Keys for events that a consumer emits while it handles an event: the mark that it has done so,
 * and the stream to which it emits.
 */
export function emittedKeys(
  consumer: string,
  eventId: string,
): { readonly emitted: string; readonly outbox: string } {
  const partition = partitionOf(eventId)
  return {
    emitted: `oncekey:{${partition}}:emitted:${consumer.length}:${consumer}:${eventId}`,
    outbox: slotKeys(partition).outbox,
  }
}

export const allSlots: readonly number[] = Array.from({ length: SLOTS }, (_, slot) => slot)

function partitionOf(text: string): number {
  return hash('sha256', text, 'buffer').readUInt8(0) % SLOTS
}
