import type { Subscription } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { subscribeLua } from './lua.ts'

/** Gives a new consumer its cursor in each slot; a known consumer keeps its cursors. */
export const subscribeScript: Script<SubscribeQuestion, 'known'> = script({
  name: 'subscribe',
  text: subscribeLua,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ subscription }) => [subscription.consumer, subscription.startAt],
  reply: (raw) => wordIn(raw, ['known']),
})

export interface SubscribeQuestion {
  readonly slots: readonly number[]
  readonly subscription: Subscription
}
