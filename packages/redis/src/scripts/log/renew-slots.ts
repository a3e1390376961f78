import { slotKeys } from '../../log/slot-keys.ts'
import { listIn, type Script, script, wordIn } from '../script.ts'
import { clockLua, cursorLua } from './cursor.ts'

/** Renews what a relay holds of a consumer, and looks which slots are free. */
export const renewSlotsScript: Script<RenewSlotsQuestion, SlotState[]> = script({
  name: 'renew-slots',
  text: `${clockLua}${cursorLua}
-- KEYS[i]     the consumers of each slot
-- ARGV[1]     consumer
-- ARGV[2]     relay
-- ARGV[3]     lease, milliseconds
-- ARGV[i + 3] the epoch with which the relay holds the slot; empty: it does not
local states = {}
for i = 1, #KEYS do
  local cursor, epoch = cursor_of(KEYS[i], ARGV[1]), ARGV[i + 3]
  if not cursor then
    states[i] = epoch == '' and 'unknown' or 'lost'
  else
    if is_held(cursor, epoch) and cursor.relay == ARGV[2] then
      cursor.lease_until = now + ARGV[3]
      states[i] = 'held'
    elseif epoch ~= '' then
      states[i] = 'lost'
    elseif cursor.relay == '' or cursor.relay == ARGV[2] or cursor.lease_until < now then
      states[i] = 'free'
    else
      states[i] = 'taken'
    end
    cursor.seen = now
    cursor.abandoned = false
    keep(KEYS[i], ARGV[1], cursor)
  end
end
return states
`,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).consumers),
  args: ({ consumer, relay, leaseMs, slots }) => [
    consumer,
    relay,
    Math.ceil(leaseMs),
    ...slots.map(({ epoch }) => epoch),
  ],
  reply: (raw) =>
    listIn(raw).map((word) => wordIn(word, ['held', 'lost', 'free', 'taken', 'unknown'])),
})

export interface RenewSlotsQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
  readonly slots: readonly { readonly slot: number; readonly epoch: string }[]
}

export type SlotState = 'held' | 'lost' | 'free' | 'taken' | 'unknown'
