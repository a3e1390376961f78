import type { DeliveryAttempt, DeliveryVerdict, HeldSlot } from '@oncekey/core'
import {
  integerIn,
  listIn,
  type Script,
  type ScriptArgument,
  script,
} from '../../../client/script.ts'
import { entryIdOf } from '../../keys/life.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { clockLua, cursorLua, entryIdLua } from '../cursor.ts'
import { deliveryLua } from '../delivery.ts'

/**
 * Moves cursors, and files the events that were passed without success. Does nothing for a slot
 * that is not held, or whose cursor is further ahead. A position past the end of the stream dates
 * from before the stream was lost: its holder has to take the slot anew.
 */
export const advanceScript: Script<AdvanceQuestion, number[]> = script({
  name: 'advance',
  text: `${clockLua}${cursorLua}${entryIdLua}${deliveryLua}
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- KEYS[i + 2] its deliveries
-- KEYS[i + 3] the consumer's deliveries that are retrying
-- KEYS[i + 4] what is dead
-- KEYS[i + 5] what died lately
-- ARGV[1]     consumer
-- ARGV[2..]   for each slot its epoch, the position, '1' if it is calm, the number of failures, and for
--             each of these: id of the event, the event, its data, 'retrying' or 'dead', the delay in
--             milliseconds or the reason, the attempt or nothing
local function file(i, event_id, event, data, verdict, detail, try)
  local index = 'of:' .. ARGV[1] .. '\\n' .. event_id
  if redis.call('HEXISTS', KEYS[i + 2], index) == 1 then
    return
  end
  local n = string.format('%d', redis.call('HINCRBY', KEYS[i + 2], 'last', 1))
  local tried = try == '' and 0 or 1
  local state = {consumer = ARGV[1], state = verdict, attempts = tried, starts = tried, redrives = 0,
    first_failed_at = now, tries = 0, index = index}
  if tried == 1 then
    keep_try(KEYS[i + 2], n, state, try)
  end
  if verdict == 'dead' then
    state.reason = detail
    bury(KEYS[i + 4], KEYS[i + 5], n, state, now_us)
  else
    redis.call('ZADD', KEYS[i + 3], digits(now + detail), n)
  end
  redis.call('HSET', KEYS[i + 2], index, n, n .. ':event', event, n .. ':data', data)
  keep_state(KEYS[i + 2], n, state)
end

let_through(KEYS[1])
local at, lost = 2, {}
for i = 1, #KEYS, 6 do
  local epoch, position, calm, failures = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  at = at + 4
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if not is_held(cursor, epoch) or is_later(cursor.at, position)
    or position ~= cursor.at and is_later(position, last_id(KEYS[i + 1])) then
    lost[#lost + 1] = (i - 1) / 6
  else
    -- Files first. If a command of the script fails, earlier writes stay, and an event that the
    -- cursor has passed without being on file would be lost.
    for f = at, at + failures * 6 - 1, 6 do
      file(i, ARGV[f], ARGV[f + 1], ARGV[f + 2], ARGV[f + 3], ARGV[f + 4], ARGV[f + 5])
    end
    cursor.at = position
    if calm == '1' then
      cursor.crashes = 0
    end
    keep(KEYS[i], ARGV[1], cursor)
  end
  at = at + failures * 6
end
return lost
`,
  keys: ({ consumer, slots }) =>
    slots.flatMap(({ slot }) => {
      const { arrived, consumers, dead, deliveries, outbox } = slotKeys(slot)
      return [consumers, outbox, deliveries, dueKey(slot, consumer), dead, arrived]
    }),
  args: ({ consumer, slots }) => [
    consumer,
    ...slots.flatMap(({ epoch, position, calm, failed }): ScriptArgument[] => [
      epoch,
      entryIdOf(position),
      calm ? 1 : 0,
      failed.length,
      ...failed.flatMap(({ eventId, event, data, verdict, attempt }) => [
        eventId,
        event,
        data,
        ...verdictArguments(verdict),
        attempt === null ? '' : JSON.stringify(attempt),
      ]),
    ]),
  ],
  reply: (raw, { slots }) => listIn(raw).map((at) => slots[integerIn(at)]?.slot as number),
})

/** The kind of a verdict, and its delay or reason. */
export function verdictArguments(
  verdict: DeliveryVerdict | { readonly kind: 'done' },
): [kind: string, detail: ScriptArgument] {
  if (verdict.kind === 'dead') return ['dead', verdict.reason]
  if (verdict.kind === 'retrying') return ['retrying', Math.ceil(verdict.delayMs)]
  return ['done', '']
}

export interface AdvanceQuestion {
  readonly consumer: string
  readonly slots: readonly SlotMove[]
}

export interface SlotMove extends HeldSlot {
  readonly position: string
  readonly calm: boolean
  readonly failed: readonly FiledEvent[]
}

/** A failed event, as it is kept. */
export interface FiledEvent {
  readonly eventId: string
  /** JSON, without the data. */
  readonly event: string
  readonly data: string
  readonly verdict: DeliveryVerdict
  readonly attempt: DeliveryAttempt | null
}
