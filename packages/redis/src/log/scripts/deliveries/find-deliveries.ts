import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { deliveryLua } from '../delivery.ts'
import type { KeptDelivery } from './page-dead.ts'

/** Finds deliveries by their numbers, whatever their state, with every attempt that is kept. */
export const findDeliveriesScript: Script<FindDeliveriesQuestion, FoundDelivery[]> = script({
  name: 'find-deliveries',
  text: `${deliveryLua}
-- KEYS[i]   the deliveries of each slot
-- ARGV[1..] for each slot how many, and their numbers
local at, found = 1, {}
for i = 1, #KEYS do
  local last = at + ARGV[at]
  for d = at + 1, last do
    local n = ARGV[d]
    local kept = redis.call('HMGET', KEYS[i], n .. ':state', n .. ':event', n .. ':data', n .. ':note')
    if kept[1] then
      local state, tries = cjson.decode(kept[1]), {}
      for try = math.max(1, state.tries - KEPT_TRIES + 1), state.tries do
        tries[#tries + 1] = redis.call('HGET', KEYS[i], n .. ':try:' .. try)
      end
      found[#found + 1] = {i - 1, n, kept[1], kept[2], kept[3], kept[4] or '', tries}
    end
  end
  at = last + 1
end
return found
`,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).deliveries),
  args: ({ slots }) => slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  reply: (raw, { slots }) =>
    listIn(raw).map((each) => {
      const [at, number, state, event, data, note, tries] = listIn(each)
      const all = listIn(tries).map(textIn)
      return {
        slot: slots[integerIn(at)]?.slot as number,
        number: Number(textIn(number)),
        diedAtUs: '',
        state: textIn(state),
        event: textIn(event),
        note: textIn(note),
        lastTry: all.at(-1) ?? '',
        data: textIn(data),
        tries: all,
      }
    }),
})

export interface FindDeliveriesQuestion {
  readonly slots: readonly { readonly slot: number; readonly numbers: readonly string[] }[]
}

export interface FoundDelivery extends KeptDelivery {
  readonly slot: number
  readonly data: string
  readonly tries: readonly string[]
}
