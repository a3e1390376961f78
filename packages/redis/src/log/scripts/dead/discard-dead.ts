import type { Resolution } from '@oncekey/core'
import { type Script, script } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { OUTCOMES, outcomesOf } from './each-dead.ts'
import { discardDeadLua } from './lua.ts'

/** Marks dead letters as never to be delivered, and writes an audit entry for each. */
export const discardDeadScript: Script<DiscardDeadQuestion, Resolution[]> = script({
  name: 'discard-dead',
  text: discardDeadLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { dead, deliveries, operations, resolved, retired } = slotKeys(slot)
      return [deliveries, dead, resolved, retired, operations]
    }),
  args: ({ note, actor, id, slots }) => [
    note,
    actor,
    id,
    ...slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) => outcomesOf(raw, slots, OUTCOMES),
})

export interface DiscardDeadQuestion {
  readonly note: string
  /** A name that no other act has. */
  readonly id: string
  readonly actor: string
  readonly slots: readonly { readonly slot: number; readonly numbers: readonly string[] }[]
}
