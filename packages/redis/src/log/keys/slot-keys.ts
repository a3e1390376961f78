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
  /** A sorted set: what died within the last hour, to be counted. */
  readonly arrived: string
  /** A sorted set: resolved dead letters by when they were resolved, milliseconds. */
  readonly resolved: string
  /** A sorted set: letters kept from retired consumers by their time of death, microseconds. */
  readonly retired: string
  /** The audit of the partition, which it shares with the keys of a store. */
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

/** A sorted set: deliveries of a consumer that are retrying, by when they are due, milliseconds. */
export function dueKey(slot: number, consumer: string): string {
  return `oncekey:{${slot}}:due:${consumer}`
}

/** A sorted set: relays that lately asked for slots of a consumer, by when they stop counting. */
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

/** The keys of a consumer that one script may touch, whatever its slots. */
export function partitionKeys(consumer: string): {
  readonly subscriptions: string
  /** A hash: since when it is paused, and by whom. */
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
 * The redrives on record, and the audit beside them. All are in one partition, because a list of
 * them is one script; the letters that they take are where they are.
 */
export const redriveKeys: { readonly redrives: string; readonly operations: string } = {
  redrives: 'oncekey:{0}:redrives',
  operations: slotKeys(0).operations,
}

/** The mark that a consumer was retired: see `scripts/retirement/retirement-mark.ts`. */
export function retiredKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:retired:${consumer}`
}

/** The mark that a consumer has emitted for an event, and the stream that it emitted to. */
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
