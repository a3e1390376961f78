import { type HeldSlot, splitTypes } from '@oncekey/core'
import { integerIn, listIn, type Script, script } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { nextDueLua } from './lua.ts'

/**
 * Finds the next due deliveries in slots that are held. It changes nothing, except times that were
 * set before the server's clock was put back.
 */
export const nextDueScript: Script<NextDueQuestion, NextDue[]> = script({
  name: 'next-due',
  text: nextDueLua,
  keys: ({ consumer, slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, deliveries } = slotKeys(slot)
      return [consumers, deliveries, dueKey(slot, consumer)]
    }),
  args: ({ consumer, most, types, slots }) => [
    consumer,
    most,
    splitTypes(types)?.whole.length ?? 0,
    splitTypes(types)?.beginnings.length ?? 0,
    ...(splitTypes(types)?.whole ?? []),
    ...(splitTypes(types)?.beginnings ?? []),
    ...slots.map(({ epoch }) => epoch),
  ],
  reply: (raw, { slots }) =>
    listIn(raw).map((each) => {
      const [at, number, inMs, dubious, bytes] = listIn(each).map(integerIn)
      const { slot, epoch } = slots[at as number] as HeldSlot
      return {
        slot,
        epoch,
        number: number as number,
        inMs: inMs as number,
        isDubious: dubious === 1,
        bytes: bytes as number,
      }
    }),
})

export interface NextDueQuestion {
  readonly consumer: string
  readonly slots: readonly HeldSlot[]
  readonly most: number
  /** Finds only these types; null for all. */
  readonly types: readonly string[] | null
}

export interface NextDue extends HeldSlot {
  readonly number: number
  /** Negative for one that has been due for a while. */
  readonly inMs: number
  /** Whether the delivery was started and its verdict was never recorded. */
  readonly isDubious: boolean
  /** The size of the delivery's event if it is due; otherwise 0. */
  readonly bytes: number
}
