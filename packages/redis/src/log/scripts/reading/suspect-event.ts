import type { HeldSlot } from '@oncekey/core'
import { integerIn, type Script, script } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { suspectEventLua } from './lua.ts'

/**
 * Counts one more start of an event that may kill the process, however often the client sends it,
 * or sets the count back to `backTo`. Replies `null` if the caller does not hold the slot.
 */
export const suspectEventScript: Script<SuspectEventQuestion, number | null> = script({
  name: 'suspect-event',
  text: suspectEventLua,
  keys: ({ slot }) => [slotKeys(slot.slot).consumers],
  args: ({ consumer, slot, eventId, start, backTo = -1 }) => [
    consumer,
    slot.epoch,
    eventId,
    backTo,
    start,
  ],
  reply(raw) {
    const starts = integerIn(raw)
    return starts === -1 ? null : starts
  },
})

export interface SuspectEventQuestion {
  readonly consumer: string
  readonly slot: HeldSlot
  readonly eventId: string
  /** A name that no other start has. */
  readonly start: string
  readonly backTo?: number
}
