import type { HeldSlot } from '@oncekey/core'
import { integerIn, type Script, script } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { cursorLua } from '../cursor.ts'

/**
 * Counts the start of an event that may kill the process; `null` if the caller does not hold the
 * slot.
 */
export const suspectEventScript: Script<SuspectEventQuestion, number | null> = script({
  name: 'suspect-event',
  text: `${cursorLua}
-- KEYS[1] the consumers of the slot
-- ARGV[1] consumer
-- ARGV[2] the epoch with which the slot is held
-- ARGV[3] id of the event
local cursor = cursor_of(KEYS[1], ARGV[1])
if not is_held(cursor, ARGV[2]) then
  return 0
end
let_through(KEYS[1])
cursor.starts = cursor.suspect == ARGV[3] and cursor.starts + 1 or 1
cursor.suspect = ARGV[3]
keep(KEYS[1], ARGV[1], cursor)
return cursor.starts
`,
  keys: ({ slot }) => [slotKeys(slot.slot).consumers],
  args: ({ consumer, slot, eventId }) => [consumer, slot.epoch, eventId],
  reply: (raw) => integerIn(raw) || null,
})

export interface SuspectEventQuestion {
  readonly consumer: string
  readonly slot: HeldSlot
  readonly eventId: string
}
