import { slotKeys } from '../../log/slot-keys.ts'
import { integerIn, listIn, type Script, script } from '../script.ts'
import { clockLua, cursorLua } from './cursor.ts'

/** How many entries a consumer has not passed, up to a number, and how old the oldest of them is. */
export const measureLagScript: Script<MeasureLagQuestion, SlotsLag> = script({
  name: 'measure-lag',
  text: `${clockLua}${cursorLua}
-- For each slot:
-- KEYS[i]     its consumers
-- KEYS[i + 1] its outbox
-- ARGV[1]     consumer
-- ARGV[2]     count no further than this
local count, oldest_ms, left = 0, -1, tonumber(ARGV[2])
for i = 1, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  local position = cursor and '(' .. cursor.at
  local first = position and redis.call('XRANGE', KEYS[i + 1], position, '+', 'COUNT', 1)[1]
  if first then
    oldest_ms = math.max(oldest_ms, 0, now - string.match(first[1], '^%d+'))
  end
  -- In portions, because an answer is held in memory whole.
  while first and count < left do
    local found = redis.call('XRANGE', KEYS[i + 1], position, '+', 'COUNT', math.min(100, left - count))
    count = count + #found
    if #found == 0 then
      break
    end
    position = '(' .. found[#found][1]
  end
end
return {count, oldest_ms}
`,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { consumers, outbox } = slotKeys(slot)
      return [consumers, outbox]
    }),
  args: ({ consumer, most }) => [consumer, most],
  reply(raw) {
    const [events, oldestMs] = listIn(raw).map(integerIn)
    return {
      events: events as number,
      oldestMs: oldestMs === -1 ? null : (oldestMs as number),
    }
  },
})

export interface MeasureLagQuestion {
  readonly slots: readonly number[]
  readonly consumer: string
  readonly most: number
}

export interface SlotsLag {
  readonly events: number
  readonly oldestMs: number | null
}
