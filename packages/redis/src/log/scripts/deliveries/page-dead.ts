import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { deliveryLua } from '../delivery.ts'

/** Lua: one delivery as it is kept, and when it died. */
const keptLua = `
local function kept(deliveries, n, died_at)
  local raw = redis.call('HGET', deliveries, n .. ':state')
  local last = redis.call('HMGET', deliveries, n .. ':event', n .. ':note',
    n .. ':try:' .. cjson.decode(raw).tries)
  return {tonumber(n), died_at, raw, last[1], last[2] or '', last[3] or ''}
end
`

/** Reads the dead or retired letters of slots in a span of time, the oldest first. */
export const pageDeadScript: Script<PageDeadQuestion, DeadPage[]> = script<
  PageDeadQuestion,
  DeadPage[]
>({
  name: 'page-dead',
  text: `${deliveryLua}${keptLua}
-- For each slot:
-- KEYS[i]     what is dead, or retired
-- KEYS[i + 1] its deliveries
-- ARGV[1]     how many of each slot at most
-- ARGV[2]     the end of the span, microseconds; with a parenthesis before it, it is excluded
-- ARGV[3..]   for each slot the start of the span, in the same form
local pages = {}
for i = 1, #KEYS, 2 do
  local page = {}
  local found = redis.call('ZRANGEBYSCORE', KEYS[i], ARGV[3 + (i - 1) / 2], ARGV[2], 'WITHSCORES',
    'LIMIT', 0, ARGV[1])
  for d = 1, #found, 2 do
    page[#page + 1] = kept(KEYS[i + 1], found[d], found[d + 1])
  end
  pages[#pages + 1] = page
end
return pages
`,
  keys: deadKeys,
  args: ({ most, until, slots }) => [most, until, ...slots.map(({ from }) => from)],
  reply: pagesIn,
})

/** Reads the letters with these numbers; those that are not dead, or not retired, are left out. */
export const pickDeadScript: Script<PickDeadQuestion, DeadPage[]> = script<
  PickDeadQuestion,
  DeadPage[]
>({
  name: 'pick-dead',
  text: `${deliveryLua}${keptLua}
-- For each slot:
-- KEYS[i]     what is dead, or retired
-- KEYS[i + 1] its deliveries
-- ARGV[1..]   for each slot how many, and their numbers
local at, pages = 1, {}
for i = 1, #KEYS, 2 do
  local last, page = at + ARGV[at], {}
  for d = at + 1, last do
    local died_at = redis.call('ZSCORE', KEYS[i], ARGV[d])
    page[#page + 1] = died_at and kept(KEYS[i + 1], ARGV[d], died_at) or nil
  end
  pages[#pages + 1] = page
  at = last + 1
end
return pages
`,
  keys: deadKeys,
  args: ({ slots }) => slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  reply: pagesIn,
})

function deadKeys({ slots, isRetired }: InSlots): string[] {
  return slots.flatMap(({ slot }) => {
    const { dead, deliveries, retired } = slotKeys(slot)
    return [isRetired ? retired : dead, deliveries]
  })
}

function pagesIn(raw: unknown, { slots }: InSlots): DeadPage[] {
  return listIn(raw).map((page, at) => ({
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
  }))
}

interface InSlots {
  readonly isRetired: boolean
  readonly slots: readonly { readonly slot: number }[]
}

export interface PageDeadQuestion {
  readonly isRetired: boolean
  readonly most: number
  readonly until: string
  readonly slots: readonly { readonly slot: number; readonly from: string }[]
}

export interface PickDeadQuestion {
  readonly isRetired: boolean
  readonly slots: readonly { readonly slot: number; readonly numbers: readonly string[] }[]
}

export interface DeadPage {
  readonly slot: number
  readonly letters: readonly KeptDelivery[]
}

/** A delivery in its stored form. Empty texts stand for missing values. */
export interface KeptDelivery {
  readonly number: number
  readonly diedAtUs: string
  readonly state: string
  readonly event: string
  readonly note: string
  readonly lastTry: string
}
