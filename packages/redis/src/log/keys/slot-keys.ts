import { hash } from 'node:crypto'
import { SLOTS } from '@oncekey/core'

/** Where a slot of the log is kept. One hash tag, that of its stream: one script may touch all of it. */
export interface SlotKeys {
  /** The stream that the completing script appends to. */
  readonly outbox: string
  /** A hash: of each consumer its cursor. See `scripts/log/cursor.ts`. */
  readonly consumers: string
  /** A hash of deliveries. See `scripts/log/delivery.ts`. */
  readonly deliveries: string
  /** A sorted set: what is dead, by when that was, microseconds. */
  readonly dead: string
  /** A sorted set: what died within the last hour, to be counted. */
  readonly arrived: string
  /** A sorted set: dead letters that were dealt with, by when that was, milliseconds. */
  readonly resolved: string
  /** A sorted set: what was kept of consumers that were retired, by when it died, microseconds. */
  readonly retired: string
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
  }
}

/** A sorted set: deliveries of a consumer that are retrying, by when they are due, milliseconds. */
export function dueKey(slot: number, consumer: string): string {
  return `oncekey:{${slot}}:due:${consumer}`
}

/** A sorted set: the relays that asked for slots of a consumer lately, by when that is forgotten. */
export function relaysKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:relays:${consumer}`
}

/** The record of what the releases of a consumer want, JSON: see `SubscriptionRecord` of @oncekey/core. */
export function subscriptionsKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:subscriptions:${consumer}`
}

/** The mark that a consumer was retired: see `scripts/log/retirement-mark.ts`. */
export function retiredKey(consumer: string): string {
  return `oncekey:{${partitionOf(consumer)}}:retired:${consumer}`
}

/** The mark that a consumer has emitted for an event, and the stream it did it to. */
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
