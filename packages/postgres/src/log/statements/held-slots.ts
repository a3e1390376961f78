import type { HeldSlot } from '@oncekey/core'

/**
 * Proves that a relay holds a slot: the epoch of the lease, and the server's life in which the slot
 * was leased. In another life, another relay may have got the same epoch.
 */
export function heldEpoch(epoch: string, life: string): string {
  return `${epoch}@${life}`
}

/** Slots and their epochs as a parameter, sorted in the order in which they are locked. */
export function heldJson(slots: readonly HeldSlot[]): string {
  const held = slots.map(({ slot, epoch }) => ({ slot, epoch: epochNumber(epoch) }))
  return JSON.stringify(held.sort((one, other) => one.slot - other.slot))
}

/**
 * The life in which all of these slots were leased; `''`, which matches no life, if they differ.
 */
export function heldLife(slots: readonly HeldSlot[]): string {
  return lifeOfAll(slots.map(({ epoch }) => epoch.slice(epoch.indexOf('@') + 1)))
}

export function epochNumber(epoch: string): string {
  return epoch.slice(0, epoch.indexOf('@'))
}

export function lifeOfAll(lives: readonly string[]): string {
  const [first = ''] = lives
  return lives.every((life) => life === first) ? first : ''
}
