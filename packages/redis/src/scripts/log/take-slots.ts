import type { TakenSlot } from '@oncekey/core'
import { slotKeys } from '../../log/slot-keys.ts'
import { integerIn, listIn, type Script, script, textIn } from '../script.ts'
import { clockLua, cursorLua, entryIdLua } from './cursor.ts'

/**
 * Takes slots that are free, each under a new epoch: whatever their holders before still write is
 * refused. Of a relay that asks again, because it did not hear the answer, the slot is free too.
 *
 * A cursor that is behind the end of its stream is from before the stream was lost or deleted: it goes
 * back to the end, lest what is written from now on count as passed.
 */
export const takeSlotsScript: Script<TakeSlotsQuestion, TakenSlot[]> = script({
  name: 'take-slots',
  text: `${clockLua}${cursorLua}${entryIdLua}
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     relay
-- ARGV[3]     lease, milliseconds
local taken = {}
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local silent = cursor and cursor.relay ~= '' and cursor.relay ~= ARGV[2]
  if not cursor or silent and cursor.lease_until >= now then
    taken[#taken + 1] = {}
  else
    if silent then
      cursor.crashes = cursor.crashes + 1
    end
    cursor.relay = ARGV[2]
    cursor.lease_until = now + ARGV[3]
    cursor.epoch = digits(math.max(cursor.epoch + 1, now_us))
    local last = last_id(KEYS[i + 1])
    if is_later(cursor.at, last) then
      cursor.at = last
    end
    keep(KEYS[i], ARGV[1], cursor)
    taken[#taken + 1] = {cursor.epoch, cursor.at, cursor.crashes}
  end
end
return taken
`,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ consumer, relay, leaseMs }) => [consumer, relay, Math.ceil(leaseMs)],
  reply: (raw, { slots }) =>
    listIn(raw).flatMap((each, at) => {
      const [epoch, position, crashes] = listIn(each)
      if (epoch === undefined) return []
      return {
        slot: slots[at] as number,
        epoch: textIn(epoch),
        position: textIn(position),
        crashes: integerIn(crashes),
      }
    }),
})

export interface TakeSlotsQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
  readonly slots: readonly number[]
}
