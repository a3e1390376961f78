import type { HeldSlot } from '@oncekey/core'

/** Slots and the epochs that prove their being held, as a parameter; in order, as they are locked. */
export function heldJson(slots: readonly HeldSlot[]): string {
  const held = slots.map(({ slot, epoch }) => ({ slot, epoch }))
  return JSON.stringify(held.sort((one, other) => one.slot - other.slot))
}
