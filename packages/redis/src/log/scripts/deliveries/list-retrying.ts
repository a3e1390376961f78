import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { deliveryLua } from '../delivery.ts'
import type { KeptDelivery } from './page-dead.ts'

/** A consumer's retrying deliveries in one slot, in the order in which they are due. */
export const listRetryingScript: Script<ListRetryingQuestion, RetryingDelivery[]> = script({
  name: 'list-retrying',
  text: `${deliveryLua}
-- KEYS[1] the consumer's deliveries that are retrying
-- KEYS[2] the deliveries of the slot
-- ARGV[1] how many to skip
-- ARGV[2] how many to return at most
local found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local page = {}
for d = 1, #found, 2 do
  local n = found[d]
  local state = state_of(KEYS[2], n)
  if state then
    local kept = redis.call('HMGET', KEYS[2], n .. ':state', n .. ':event', n .. ':note',
      n .. ':try:' .. state.tries)
    page[#page + 1] = {tonumber(n), found[d + 1], kept[1], kept[2], kept[3] or '', kept[4] or ''}
  end
end
return page
`,
  keys: ({ consumer, slot }) => [dueKey(slot, consumer), slotKeys(slot).deliveries],
  args: ({ from, most }) => [from, most],
  reply: (raw) =>
    listIn(raw).map((each) => {
      const [number, dueAt, state, event, note, lastTry] = listIn(each)
      return {
        number: integerIn(number),
        dueAtMs: Number(textIn(dueAt)),
        state: textIn(state),
        event: textIn(event),
        note: textIn(note),
        lastTry: textIn(lastTry),
      }
    }),
})

export interface ListRetryingQuestion {
  readonly consumer: string
  readonly slot: number
  readonly from: number
  readonly most: number
}

export interface RetryingDelivery extends Omit<KeptDelivery, 'diedAtUs'> {
  readonly dueAtMs: number
}
