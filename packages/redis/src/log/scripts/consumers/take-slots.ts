import type { TakenSlot } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { inLife } from '../../keys/life.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { clockLua, cursorLua, entryIdLua } from '../cursor.ts'

/**
 * Takes free slots, each under a new epoch, so that late writes of earlier holders are refused. A
 * slot also counts as free for the relay that holds it and asks again, because it did not get the
 * answer.
 *
 * A cursor past the end of its stream dates from before the stream was lost or deleted. It starts
 * anew, because entries written since may have any id, and nobody has passed them.
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
let_through(KEYS[1])
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
    cursor.lease_until, cursor.leased_at = now + ARGV[3], now
    cursor.epoch = digits(math.max(cursor.epoch + 1, now_us))
    if is_later(cursor.at, last_id(KEYS[i + 1])) then
      cursor.at = '0-0'
    end
    keep(KEYS[i], ARGV[1], cursor)
    taken[#taken + 1] = {cursor.epoch, cursor.at, cursor.crashes, life()}
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
    listIn(raw).flatMap((each, index) => {
      const [epoch, at, crashes, life] = listIn(each)
      if (epoch === undefined) return []
      return {
        slot: slots[index] as number,
        epoch: inLife(textIn(epoch), textIn(life)),
        position: inLife(textIn(at), textIn(life)),
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
