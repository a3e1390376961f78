import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { pageDeadLua, pickDeadLua } from './lua.ts'

/** Reads, from some slots, the dead or retired letters of a span of time, the oldest first. */
export const pageDeadScript: Script<PageDeadQuestion, DeadPage[]> = script<
  PageDeadQuestion,
  DeadPage[]
>({
  name: 'page-dead',
  text: pageDeadLua,
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
  text: pickDeadLua,
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
