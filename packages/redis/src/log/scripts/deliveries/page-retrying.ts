import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'

/** The events of a consumer's retrying deliveries in one slot, in pages. */
export const pageRetryingScript: Script<PageRetryingQuestion, string[]> = script({
  name: 'page-retrying',
  text: `
-- KEYS[1] the consumer's deliveries that are retrying
-- KEYS[2] the deliveries of the slot
-- ARGV[1] how many to skip
-- ARGV[2] how many to return at most
local events = {}
for i, n in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1)) do
  events[i] = redis.call('HGET', KEYS[2], n .. ':event')
end
return events
`,
  keys: ({ consumer, slot }) => [dueKey(slot, consumer), slotKeys(slot).deliveries],
  args: ({ from, most }) => [from, most],
  reply: (raw) => listIn(raw).map(textIn),
})

export interface PageRetryingQuestion {
  readonly consumer: string
  readonly slot: number
  readonly from: number
  readonly most: number
}
