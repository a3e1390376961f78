import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'

/**
 * Finds the numbers of the deliveries of some events to some consumers, by the index that keeps
 * them unique.
 */
export const findByEventScript: Script<FindByEventQuestion, FoundNumbers[]> = script({
  name: 'find-by-event',
  text: `
-- KEYS[i]   the deliveries of each slot
-- ARGV[1..] the fields of the index
local found = {}
for i = 1, #KEYS do
  local numbers = {}
  for a = 1, #ARGV do
    local n = redis.call('HGET', KEYS[i], ARGV[a])
    numbers[#numbers + 1] = n or nil
  end
  found[#found + 1] = numbers
end
return found
`,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).deliveries),
  args: ({ consumers, eventIds }) =>
    consumers.flatMap((consumer) => eventIds.map((id) => `of:${consumer}\n${id}`)),
  reply: (raw, { slots }) =>
    listIn(raw).map((numbers, at) => ({
      slot: slots[at] as number,
      numbers: listIn(numbers).map(textIn),
    })),
})

export interface FindByEventQuestion {
  readonly slots: readonly number[]
  readonly consumers: readonly string[]
  readonly eventIds: readonly string[]
}

export interface FoundNumbers {
  readonly slot: number
  readonly numbers: readonly string[]
}
