import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'

/** The consumers that have a cursor in these slots, each once per slot. */
export const listConsumersScript: Script<{ readonly slots: readonly number[] }, string[]> = script({
  name: 'list-consumers',
  text: `
-- KEYS[i] the consumers of each slot
local names = {}
for i = 1, #KEYS do
  for _, name in ipairs(redis.call('HKEYS', KEYS[i])) do
    names[#names + 1] = name
  end
end
return names
`,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).consumers),
  args: () => [],
  reply: (raw) => listIn(raw).map(textIn),
})
