import type { Resolution } from '@oncekey/core'
import { dueKey, slotKeys } from '../../log/slot-keys.ts'
import { listIn, type Script, script, wordIn } from '../script.ts'
import { clockLua } from './cursor.ts'
import { deliveryLua } from './delivery.ts'

/** Puts back those that are still dead: due at once, their attempts begin anew. */
export const redriveDeadScript: Script<RedriveDeadQuestion, RedriveOutcome[]> = script({
  name: 'redrive-dead',
  text: `${clockLua}${deliveryLua}
-- For each consumer in a slot:
-- KEYS[i]     the deliveries of the slot
-- KEYS[i + 1] what is dead
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- ARGV[1..]   for each of these how many, and their numbers
local at, outcomes = 1, {}
for i = 1, #KEYS, 3 do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local state = state_of(KEYS[i], n)
    if state and state.state == 'dead' then
      state.state, state.attempts, state.starts = 'retrying', 0, 0
      state.redrives = state.redrives + 1
      keep_state(KEYS[i], n, state)
      redis.call('ZADD', KEYS[i + 2], digits(now), n)
      redis.call('ZREM', KEYS[i + 1], n)
      outcomes[#outcomes + 1] = 'redriven'
    else
      outcomes[#outcomes + 1] = word_of(state)
    end
  end
  at = last + 1
end
return outcomes
`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot, consumer }) => {
      const { dead, deliveries } = slotKeys(slot)
      return [deliveries, dead, dueKey(slot, consumer)]
    }),
  args: ({ slots }) => slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  reply: (raw, { slots }) => {
    const words = listIn(raw)
    return slots
      .flatMap(({ slot, numbers }) => numbers.map((number) => `${slot}-${number}`))
      .map((id, at) => ({ id, outcome: wordIn(words[at], ['redriven' as const, ...OUTCOMES]) }))
  },
})

export interface RedriveDeadQuestion {
  readonly slots: readonly {
    readonly slot: number
    readonly consumer: string
    readonly numbers: readonly number[]
  }[]
}

export interface RedriveOutcome {
  readonly id: string
  readonly outcome: 'redriven' | Resolution['outcome']
}

/** The words of {@link Resolution}. */
export const OUTCOMES: readonly Resolution['outcome'][] = [
  'discarded',
  'already-done',
  'already-discarded',
  'retrying',
  'not-matched',
  'unknown',
]
