import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { clockLua } from '../cursor.ts'

/**
 * Counts dead letters: how many there are, how old the oldest is, and how many came and went within
 * the last hour.
 */
export const countDeadScript: Script<CountDeadQuestion, DeadCounts> = script({
  name: 'count-dead',
  text: `${clockLua}
-- For each slot:
-- KEYS[i]     what is dead
-- KEYS[i + 1] what died lately
-- KEYS[i + 2] what was dealt with
local depth, arrived, drained, oldest = 0, 0, 0, now_us
for i = 1, #KEYS, 3 do
  depth = depth + redis.call('ZCARD', KEYS[i])
  oldest = math.min(oldest, redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] or oldest)
  arrived = arrived + redis.call('ZCOUNT', KEYS[i + 1], digits(now_us - 3600000000), '+inf')
  drained = drained + redis.call('ZCOUNT', KEYS[i + 2], digits(now - 3600000), '+inf')
end
return {depth, arrived, drained, digits(math.floor((now_us - oldest) / 1000))}
`,
  keys: ({ slots }) =>
    slots.flatMap((slot) => {
      const { arrived, dead, resolved } = slotKeys(slot)
      return [dead, arrived, resolved]
    }),
  args: () => [],
  reply(raw) {
    const [depth, arrived, drained, age] = listIn(raw)
    return {
      depth: integerIn(depth),
      arrived: integerIn(arrived),
      drained: integerIn(drained),
      oldestAgeMs: Number(textIn(age)),
    }
  },
})

export interface CountDeadQuestion {
  readonly slots: readonly number[]
}

export interface DeadCounts {
  readonly depth: number
  readonly arrived: number
  readonly drained: number
  readonly oldestAgeMs: number
}
