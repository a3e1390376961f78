import { integerIn, type Script, script } from '../../../client/script.ts'
import { relaysKey } from '../../keys/slot-keys.ts'
import { clockLua } from '../cursor.ts'

/**
 * Notes that a relay asks for slots, or that it leaves, and returns how many asked lately. Relays
 * that are gone are removed first, because a full server lets a script run whose first write is a
 * removal. A relay that would count for far longer than this one asks for was noted before the
 * clock was put back.
 */
export const countRelaysScript: Script<CountRelaysQuestion, number> = script({
  name: 'count-relays',
  text: `${clockLua}
-- KEYS[1] the relays of the consumer
-- ARGV[1] relay
-- ARGV[2] for how long it counts, milliseconds; '0': it leaves
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(now - 1))
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  local most = digits(now + 10 * ARGV[2])
  for _, relay in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. most, '+inf')) do
    redis.call('ZADD', KEYS[1], most, relay)
  end
  redis.call('ZADD', KEYS[1], digits(now + ARGV[2]), ARGV[1])
end
return redis.call('ZCARD', KEYS[1])
`,
  keys: ({ consumer }) => [relaysKey(consumer)],
  args: ({ relay, leaseMs }) => [relay, Math.ceil(leaseMs)],
  reply: integerIn,
})

export interface CountRelaysQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
}
