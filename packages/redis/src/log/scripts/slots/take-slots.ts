import type { TakenSlot } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { inLife } from '../../keys/life.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { takeSlotsLua } from './lua.ts'

/**
 * Takes free slots, each under a new epoch, so that late writes of earlier holders are refused. A
 * slot also counts as free for the relay that holds it: the relay asks again because the reply was
 * lost.
 *
 * A cursor past the end of its stream was written before the stream was lost or deleted. It is
 * reset to the beginning, because later entries may have any id, and no consumer has passed them.
 */
export const takeSlotsScript: Script<TakeSlotsQuestion, TakenSlot[]> = script({
  name: 'take-slots',
  text: takeSlotsLua,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ consumer, relay, leaseMs }) => [consumer, relay, Math.ceil(leaseMs)],
  reply: (raw, { slots }) =>
    listIn(raw).flatMap((each, index) => {
      const [epoch, at, crashes, life, suspect] = listIn(each)
      if (epoch === undefined) return []
      return {
        slot: slots[index] as number,
        epoch: inLife(textIn(epoch), textIn(life)),
        position: inLife(textIn(at), textIn(life)),
        crashes: integerIn(crashes),
        suspect: textIn(suspect) || null,
      }
    }),
})

export interface TakeSlotsQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
  readonly slots: readonly number[]
}
