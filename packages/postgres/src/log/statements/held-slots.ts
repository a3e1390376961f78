import type { HeldSlot } from '@oncekey/core'

/**
 * What proves that a slot is held: the epoch of its lease, and the life of the server that it was
 * leased in. In another life the same epoch may have been given to somebody else.
 */
export function heldEpoch(epoch: string, life: string): string {
  return `${epoch}@${life}`
}

/** Slots and their epochs as a parameter, in the order in which they are locked. */
export function heldJson(slots: readonly HeldSlot[]): string {
  const held = slots.map(({ slot, epoch }) => ({ slot, epoch: epochNumber(epoch) }))
  return JSON.stringify(held.sort((one, other) => one.slot - other.slot))
}

/** The life that all of these were leased in; `''`, which is none, where they are of several. */
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
