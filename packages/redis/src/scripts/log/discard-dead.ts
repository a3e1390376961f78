import type { Resolution } from '@oncekey/core'
import { slotKeys } from '../../log/slot-keys.ts'
import { listIn, type Script, script, wordIn } from '../script.ts'
import { clockLua } from './cursor.ts'
import { deliveryLua } from './delivery.ts'
import { OUTCOMES } from './redrive-dead.ts'

/** Marks dead letters as never to be delivered. */
export const discardDeadScript: Script<DiscardDeadQuestion, Resolution[]> = script({
  name: 'discard-dead',
  text: `${clockLua}${deliveryLua}
-- For each slot:
-- KEYS[i]     its deliveries
-- KEYS[i + 1] what is dead
-- KEYS[i + 2] what was dealt with
-- ARGV[1]     why
-- ARGV[2..]   for each slot how many, and their numbers
local at, outcomes = 2, {}
for i = 1, #KEYS, 3 do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local state = state_of(KEYS[i], n)
    if state and state.state == 'dead' then
      state.state, state.resolution, state.resolved_at = 'resolved', 'discarded', now
      keep_state(KEYS[i], n, state)
      redis.call('HSET', KEYS[i], n .. ':note', ARGV[1])
      redis.call('ZADD', KEYS[i + 2], digits(now), n)
      redis.call('ZREM', KEYS[i + 1], n)
      outcomes[#outcomes + 1] = 'discarded'
    else
      outcomes[#outcomes + 1] = word_of(state)
    end
  end
  at = last + 1
end
return outcomes
`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { dead, deliveries, resolved } = slotKeys(slot)
      return [deliveries, dead, resolved]
    }),
  args: ({ note, slots }) => [
    note,
    ...slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) => {
    const words = listIn(raw)
    return slots
      .flatMap(({ slot, numbers }) => numbers.map((number) => `${slot}-${number}`))
      .map((id, at) => ({ id, outcome: wordIn(words[at], OUTCOMES) }))
  },
})

export interface DiscardDeadQuestion {
  readonly note: string
  readonly slots: readonly { readonly slot: number; readonly numbers: readonly string[] }[]
}
