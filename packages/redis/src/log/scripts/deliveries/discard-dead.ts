import type { Resolution } from '@oncekey/core'
import { type Script, script } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { clockLua } from '../cursor.ts'
import { deliveryLua } from '../delivery.ts'
import { eachDeadLua, OUTCOMES, outcomesOf } from './each-dead.ts'

/** Marks dead letters as never to be delivered. */
export const discardDeadScript: Script<DiscardDeadQuestion, Resolution[]> = script({
  name: 'discard-dead',
  text: `${clockLua}${deliveryLua}
-- For each slot:
-- KEYS[i]     its deliveries
-- KEYS[i + 1] what is dead
-- KEYS[i + 2] what was dealt with
-- KEYS[i + 3] what is retired
-- ARGV[1]     why
-- ARGV[2..]   for each slot how many, and their numbers${eachDeadLua(
    2,
    "(state.state == 'dead' or state.state == 'retired')",
    `      state.state, state.resolution, state.resolved_at = 'resolved', 'discarded', now
      keep_state(KEYS[i], n, state)
      redis.call('HSET', KEYS[i], n .. ':note', ARGV[1])
      redis.call('ZADD', KEYS[i + 2], digits(now), n)
      redis.call('ZREM', KEYS[i + 3], n)`,
    'discarded',
  )}`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { dead, deliveries, resolved, retired } = slotKeys(slot)
      return [deliveries, dead, resolved, retired]
    }),
  args: ({ note, slots }) => [
    note,
    ...slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  ],
  reply: (raw, { slots }) => outcomesOf(raw, slots, OUTCOMES),
})

export interface DiscardDeadQuestion {
  readonly note: string
  readonly slots: readonly { readonly slot: number; readonly numbers: readonly string[] }[]
}
