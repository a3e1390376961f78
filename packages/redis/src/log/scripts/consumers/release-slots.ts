import type { HeldSlot } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { cursorLua } from '../cursor.ts'

/** Releases slots; slots held under another epoch stay as they are. */
export const releaseSlotsScript: Script<ReleaseSlotsQuestion, 'released'> = script({
  name: 'release-slots',
  text: `${cursorLua}
-- KEYS[i]     the consumers of each slot
-- ARGV[1]     consumer
-- ARGV[i + 1] the epoch with which the slot is held
let_through(KEYS[1])
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if is_held(cursor, ARGV[i + 1]) then
    cursor.relay = ''
    cursor.lease_until = 0
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return 'released'
`,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).consumers),
  args: ({ consumer, slots }) => [consumer, ...slots.map(({ epoch }) => epoch)],
  reply: (raw) => wordIn(raw, ['released']),
})

export interface ReleaseSlotsQuestion {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
}
