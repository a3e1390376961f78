import type { HeldSlot } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { startDeliveriesLua } from './lua.ts'

/**
 * Counts a start for deliveries in slots that are held, and returns them. However often the client
 * sends it, it counts one.
 */
export const startDeliveriesScript: Script<StartDeliveriesQuestion, StartedDelivery[]> = script({
  name: 'start-deliveries',
  text: startDeliveriesLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, deliveries } = slotKeys(slot)
      return [consumers, deliveries]
    }),
  args: ({ consumer, start, slots }) => [
    consumer,
    start,
    ...slots.flatMap(({ epoch, numbers }) => [epoch, numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) =>
    listIn(raw).map((each) => {
      const [at, number, attempts, starts, redrives, event, data] = listIn(each)
      return {
        slot: slots[integerIn(at)]?.slot as number,
        number: integerIn(number),
        attempts: integerIn(attempts),
        starts: integerIn(starts),
        redrives: integerIn(redrives),
        event: textIn(event),
        data: textIn(data),
      }
    }),
})

export interface StartDeliveriesQuestion {
  readonly consumer: string
  /** A name that no other start has. */
  readonly start: string
  readonly slots: readonly (HeldSlot & { readonly numbers: readonly number[] })[]
}

export interface StartedDelivery {
  readonly slot: number
  readonly number: number
  readonly attempts: number
  readonly starts: number
  readonly redrives: number
  readonly event: string
  readonly data: string
}
