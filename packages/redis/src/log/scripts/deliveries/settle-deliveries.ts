import type { HeldSlot, Settle } from '@oncekey/core'
import { integerIn, listIn, type Script, script } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { verdictArguments } from '../reading/advance.ts'
import { settleDeliveriesLua } from './lua.ts'

/**
 * Records the verdicts of deliveries, in slots that are held. A delivery that succeeded is deleted,
 * as if it had never failed; if it was ever dead, it is kept as resolved.
 */
export const settleDeliveriesScript: Script<SettleDeliveriesQuestion, number[]> = script({
  name: 'settle-deliveries',
  text: settleDeliveriesLua,
  keys: ({ consumer, slots }) =>
    slots.flatMap(({ slot }) => {
      const { arrived, consumers, dead, deliveries, resolved } = slotKeys(slot)
      return [consumers, deliveries, dueKey(slot, consumer), dead, arrived, resolved]
    }),
  args: ({ consumer, slots }) => [
    consumer,
    ...slots.flatMap(({ epoch, settled }) => [
      epoch,
      settled.length,
      ...settled.flatMap(({ number, verdict, attempt, startsLeft = '', claimed }) => [
        number,
        ...verdictArguments(verdict),
        attempt === null ? '' : JSON.stringify(attempt),
        startsLeft,
        claimed?.attempts ?? '',
        claimed?.redrives ?? '',
      ]),
    ]),
  ],
  reply: (raw, { slots }) => listIn(raw).map((at) => slots[integerIn(at)]?.slot as number),
})

type Settled = Settle['settled'][number]

export interface SettleDeliveriesQuestion {
  readonly consumer: string
  readonly slots: readonly (HeldSlot & {
    readonly settled: readonly (Pick<Settled, 'verdict' | 'attempt' | 'startsLeft' | 'claimed'> & {
      readonly number: string
    })[]
  })[]
}
