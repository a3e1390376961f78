import type { Resolution } from '@oncekey/core'
import { type Script, script } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { clockLua } from '../cursor.ts'
import { deliveryLua } from '../delivery.ts'
import { eachDeadLua, OUTCOMES, outcomesOf } from './each-dead.ts'

/**
 * Puts back letters that are still dead and whose consumer exists. They are due at once, and their
 * attempts start at 0.
 */
export const redriveDeadScript: Script<RedriveDeadQuestion, RedriveOutcome[]> = script({
  name: 'redrive-dead',
  text: `${clockLua}${deliveryLua}
-- For each consumer in a slot:
-- KEYS[i]     the deliveries of the slot
-- KEYS[i + 1] what is dead
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- KEYS[i + 3] the consumers of the slot
-- ARGV[1..]   for each of these how many, and their numbers${eachDeadLua(
    1,
    "state.state == 'dead' and redis.call('HEXISTS', KEYS[i + 3], state.consumer) == 1",
    `      state.state, state.attempts, state.starts = 'retrying', 0, 0
      state.redrives = state.redrives + 1
      keep_state(KEYS[i], n, state)
      redis.call('ZADD', KEYS[i + 2], digits(now), n)`,
    'redriven',
  )}`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot, consumer }) => {
      const { consumers, dead, deliveries } = slotKeys(slot)
      return [deliveries, dead, dueKey(slot, consumer), consumers]
    }),
  args: ({ slots }) => slots.flatMap(({ numbers }) => [numbers.length, ...numbers]),
  reply: (raw, { slots }) => outcomesOf(raw, slots, ['redriven', ...OUTCOMES]),
})

export interface RedriveDeadQuestion {
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
