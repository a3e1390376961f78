import type { HeldSlot } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { cursorLua } from '../cursor.ts'
import { deliveryLua } from '../delivery.ts'

/** Counts a start for deliveries in slots that are held, and returns them. */
export const startDeliveriesScript: Script<StartDeliveriesQuestion, StartedDelivery[]> = script({
  name: 'start-deliveries',
  text: `${cursorLua}${deliveryLua}
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its deliveries
-- ARGV[1]     consumer
-- ARGV[2..]   for each slot its epoch, how many deliveries, their numbers
let_through(KEYS[1])
local at, started = 2, {}
for i = 1, #KEYS, 2 do
  local held = is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at])
  local last = at + 1 + ARGV[at + 1]
  for d = at + 2, last do
    local n = ARGV[d]
    local state = held and state_of(KEYS[i + 1], n)
    if state and state.state == 'retrying' then
      state.starts = state.starts + 1
      keep_state(KEYS[i + 1], n, state)
      local kept = redis.call('HMGET', KEYS[i + 1], n .. ':event', n .. ':data')
      started[#started + 1] = {(i - 1) / 2, tonumber(n), state.attempts, state.starts,
        state.redrives, kept[1], kept[2]}
    end
  end
  at = last + 1
end
return started
`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, deliveries } = slotKeys(slot)
      return [consumers, deliveries]
    }),
  args: ({ consumer, slots }) => [
    consumer,
    ...slots.flatMap(({ epoch, numbers }) => [epoch, numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) =>
    listIn(raw).map((each) => {
      const [at, number, attempts, starts, redrives, event, data] = listIn(each)
      return {
        slot: slots[integerIn(at)]?.slot as number,
        number: integerIn(number),
        attempts: integerIn(attempts),
        starts: integerIn(starts),
        redrives: integerIn(redrives),
        event: textIn(event),
        data: textIn(data),
      }
    }),
})

export interface StartDeliveriesQuestion {
  readonly consumer: string
  readonly slots: readonly (HeldSlot & { readonly numbers: readonly number[] })[]
}

export interface StartedDelivery {
  readonly slot: number
  readonly number: number
  readonly attempts: number
  readonly starts: number
  readonly redrives: number
  readonly event: string
  readonly data: string
}
