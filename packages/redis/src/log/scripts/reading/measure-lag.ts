import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { measureLagLua } from './lua.ts'

/**
 * Counts the entries that a consumer has not passed, and returns the age of the oldest. Redis
 * cannot count a part of a stream, so the script reads whole entries. It stops after a bounded
 * number of bytes, and returns where the next script continues. If the consumer has passed nothing
 * in a stream, the stream's length is the count.
 */
export const measureLagScript: Script<MeasureLagQuestion, SlotsLag> = script({
  name: 'measure-lag',
  text: measureLagLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ consumer, most, slots }) => [consumer, most, ...slots.map(({ behind }) => behind)],
  reply(raw, { slots }) {
    const [events, oldestMs, goOn, known] = listIn(raw)
    return {
      known: integerIn(known) === 1,
      events: integerIn(events),
      oldestMs: integerIn(oldestMs) === -1 ? null : integerIn(oldestMs),
      goOn: listIn(goOn).flatMap((each, at) => {
        const behind = textIn(each)
        return behind === '' ? [] : { slot: slots[at]?.slot as number, behind }
      }),
    }
  },
})

export interface MeasureLagQuestion {
  readonly slots: readonly SlotToCount[]
  readonly consumer: string
  readonly most: number
}

export interface SlotToCount {
  readonly slot: number
  readonly behind: string
}

export interface SlotsLag {
  /** Whether the consumer has a cursor in any of these slots. */
  readonly known: boolean
  readonly events: number
  readonly oldestMs: number | null
  /** The slots in which there may be more entries, and where to continue. */
  readonly goOn: readonly SlotToCount[]
}
