import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { pageRetryingLua } from './lua.ts'

/** Reads one page of the events of a consumer's retrying deliveries in one slot. */
export const pageRetryingScript: Script<PageRetryingQuestion, string[]> = script({
  name: 'page-retrying',
  text: pageRetryingLua,
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
