import type { HeldSlot, Settle } from '@oncekey/core'
import { integerIn, listIn, type Script, script } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { clockLua, cursorLua } from '../cursor.ts'
import { deliveryLua } from '../delivery.ts'
import { verdictArguments } from '../reading/advance.ts'

/**
 * Records how deliveries ended, in slots that are held. A delivery that is done is deleted, as if
 * it had never failed; if it was dead once, it is kept as resolved.
 */
export const settleDeliveriesScript: Script<SettleDeliveriesQuestion, number[]> = script({
  name: 'settle-deliveries',
  text: `${clockLua}${cursorLua}${deliveryLua}
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its deliveries
-- KEYS[i + 2] the consumer's deliveries that are retrying
-- KEYS[i + 3] what is dead
-- KEYS[i + 4] what died lately
-- KEYS[i + 5] what was dealt with
-- ARGV[1]     consumer
-- ARGV[2..]   for each slot its epoch, how many deliveries, and for each: its number, 'done', 'retrying'
--             or 'dead', the delay in milliseconds or the reason, the attempt or nothing
local function settle(i, n, verdict, detail, try)
  local state = state_of(KEYS[i + 1], n)
  -- It is already recorded, and was sent again after a lost answer: it has not been started since.
  if not state or state.state ~= 'retrying' or state.starts <= state.attempts then
    return
  end
  if verdict == 'done' and state.redrives == 0 then
    forget(KEYS[i + 1], n, state)
    redis.call('ZREM', KEYS[i + 2], n)
    return
  end
  if verdict == 'done' then
    state.state, state.resolution, state.resolved_at = 'resolved', 'redriven', now
    state.starts = state.attempts
    redis.call('ZADD', KEYS[i + 5], digits(now), n)
    redis.call('ZREM', KEYS[i + 2], n)
  else
    if try ~= '' then
      state.attempts = state.attempts + 1
      keep_try(KEYS[i + 1], n, state, try)
    end
    state.starts = state.attempts
    state.state = verdict
    if verdict == 'dead' then
      state.reason = detail
      bury(KEYS[i + 3], KEYS[i + 4], n, state, now_us)
      redis.call('ZREM', KEYS[i + 2], n)
    else
      redis.call('ZADD', KEYS[i + 2], digits(now + detail), n)
    end
  end
  keep_state(KEYS[i + 1], n, state)
end

let_through(KEYS[1])
local at, lost = 2, {}
for i = 1, #KEYS, 6 do
  local held = is_held(cursor_of(KEYS[i], ARGV[1]), ARGV[at])
  local count = tonumber(ARGV[at + 1])
  at = at + 2
  if not held then
    lost[#lost + 1] = (i - 1) / 6
  else
    for d = at, at + count * 4 - 1, 4 do
      settle(i, ARGV[d], ARGV[d + 1], ARGV[d + 2], ARGV[d + 3])
    end
  end
  at = at + count * 4
end
return lost
`,
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
      ...settled.flatMap(({ number, verdict, attempt }) => [
        number,
        ...verdictArguments(verdict),
        attempt === null ? '' : JSON.stringify(attempt),
      ]),
    ]),
  ],
  reply: (raw, { slots }) => listIn(raw).map((at) => slots[integerIn(at)]?.slot as number),
})

type Settled = Settle['settled'][number]

export interface SettleDeliveriesQuestion {
  readonly consumer: string
  readonly slots: readonly (HeldSlot & {
    readonly settled: readonly (Pick<Settled, 'verdict' | 'attempt'> & {
      readonly number: string
    })[]
  })[]
}
