import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import type { KeptDelivery } from '../dead/page-dead.ts'
import { listRetryingLua } from './lua.ts'

/** A consumer's retrying deliveries in one slot, in the order in which they are due. */
export const listRetryingScript: Script<ListRetryingQuestion, RetryingDelivery[]> = script({
  name: 'list-retrying',
  text: listRetryingLua,
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
