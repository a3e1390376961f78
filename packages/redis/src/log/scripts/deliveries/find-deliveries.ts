import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import type { KeptDelivery } from '../dead/page-dead.ts'
import { findDeliveriesLua } from './lua.ts'

/** Finds deliveries by their numbers, whatever their state, with all stored attempts. */
export const findDeliveriesScript: Script<FindDeliveriesQuestion, FoundDelivery[]> = script({
  name: 'find-deliveries',
  text: findDeliveriesLua,
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
