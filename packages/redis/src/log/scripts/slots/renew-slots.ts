import { listIn, type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { renewSlotsLua } from './lua.ts'

/**
 * Renews the slots that a relay holds for a consumer, and finds the free ones. A slot whose cursor
 * is past the end of its stream has to be taken anew: see `take-slots.ts`.
 */
export const renewSlotsScript: Script<RenewSlotsQuestion, SlotState[]> = script({
  name: 'renew-slots',
  text: renewSlotsLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ consumer, relay, leaseMs, slots }) => [
    consumer,
    relay,
    Math.ceil(leaseMs),
    ...slots.map(({ epoch }) => epoch),
  ],
  reply: (raw) =>
    listIn(raw).map((word) => wordIn(word, ['held', 'lost', 'again', 'free', 'taken', 'unknown'])),
})

export interface RenewSlotsQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
  readonly slots: readonly { readonly slot: number; readonly epoch: string }[]
}

/**
 * `again`: the relay has lost the slot and can take it again, because the relay itself held it
 * last, in another life of the server or under another epoch.
 */
export type SlotState = 'held' | 'lost' | 'again' | 'free' | 'taken' | 'unknown'
