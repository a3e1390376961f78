import { relaysKey } from '../../log/slot-keys.ts'
import { integerIn, type Script, script } from '../script.ts'
import { clockLua } from './cursor.ts'

/** Notes that a relay asks for slots, or that it leaves; says how many have asked lately. */
export const countRelaysScript: Script<CountRelaysQuestion, number> = script({
  name: 'count-relays',
  text: `${clockLua}
-- KEYS[1] the relays of the consumer
-- ARGV[1] relay
-- ARGV[2] for how long it counts, milliseconds; '0': it leaves
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], digits(now + ARGV[2]), ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', digits(now - 1))
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
