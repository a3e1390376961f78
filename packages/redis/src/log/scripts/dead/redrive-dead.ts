import type { Resolution } from '@oncekey/core'
import { type Script, script } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { OUTCOMES, outcomesOf } from './each-dead.ts'
import { redriveDeadLua } from './lua.ts'

/**
 * Puts back letters that are still dead and whose consumer exists. They are due at once, and their
 * attempts start at 0. Each call writes one audit entry for each consumer in each slot.
 */
export const redriveDeadScript: Script<RedriveDeadQuestion, RedriveOutcome[]> = script({
  name: 'redrive-dead',
  text: redriveDeadLua,
  keys: ({ slots }) =>
    slots.flatMap(({ slot, consumer }) => {
      const { consumers, dead, deliveries, operations } = slotKeys(slot)
      return [deliveries, dead, dueKey(slot, consumer), consumers, operations]
    }),
  args: ({ actor, note, id, slots }) => [
    actor,
    note,
    id,
    ...slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) => outcomesOf(raw, slots, ['redriven', ...OUTCOMES]),
})

export interface RedriveDeadQuestion {
  readonly actor: string
  readonly note: string
  /** A name that no other act has. */
  readonly id: string
  readonly slots: readonly {
    readonly slot: number
    readonly consumer: string
    readonly numbers: readonly number[]
  }[]
}

export interface RedriveOutcome {
  readonly id: string
  readonly outcome: 'redriven' | Resolution['outcome']
}
