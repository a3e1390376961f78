import { slotKeys } from '../../log/slot-keys.ts'
import { integerIn, listIn, type Script, script, textIn } from '../script.ts'
import { deliveryLua } from './delivery.ts'

/** What is dead in slots, the oldest first, from a time on. */
export const pageDeadScript: Script<PageDeadQuestion, DeadPage[]> = script({
  name: 'page-dead',
  text: `${deliveryLua}
-- For each slot:
-- KEYS[i]     what is dead
-- KEYS[i + 1] its deliveries
-- ARGV[1]     at most so many of each slot
-- ARGV[2..]   for each slot from when on, microseconds; with a parenthesis before it: only after that
local pages = {}
for i = 1, #KEYS, 2 do
  local page = {}
  local found = redis.call('ZRANGEBYSCORE', KEYS[i], ARGV[2 + (i - 1) / 2], '+inf', 'WITHSCORES',
    'LIMIT', 0, ARGV[1])
  for d = 1, #found, 2 do
    local n = found[d]
    local raw = redis.call('HGET', KEYS[i + 1], n .. ':state')
    local last = redis.call('HMGET', KEYS[i + 1], n .. ':event', n .. ':note',
      n .. ':try:' .. cjson.decode(raw).tries)
    page[#page + 1] = {tonumber(n), found[d + 1], raw, last[1], last[2] or '', last[3] or ''}
  end
  pages[#pages + 1] = page
end
return pages
`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { dead, deliveries } = slotKeys(slot)
      return [dead, deliveries]
    }),
  args: ({ most, slots }) => [most, ...slots.map(({ from }) => from)],
  reply: (raw, { slots }) =>
    listIn(raw).map((page, at) => ({
      slot: slots[at]?.slot as number,
      letters: listIn(page).map((each) => {
        const [number, diedAt, state, event, note, lastTry] = listIn(each)
        return {
          number: integerIn(number),
          diedAtUs: textIn(diedAt),
          state: textIn(state),
          event: textIn(event),
          note: textIn(note),
          lastTry: textIn(lastTry),
        }
      }),
    })),
})

export interface PageDeadQuestion {
  readonly most: number
  readonly slots: readonly { readonly slot: number; readonly from: string }[]
}

export interface DeadPage {
  readonly slot: number
  readonly letters: readonly KeptDelivery[]
}

/** A delivery as it is kept, raw. Empty: there is none. */
export interface KeptDelivery {
  readonly number: number
  readonly diedAtUs: string
  readonly state: string
  readonly event: string
  readonly note: string
  readonly lastTry: string
}
