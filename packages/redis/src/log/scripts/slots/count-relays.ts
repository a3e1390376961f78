import { integerIn, type Script, script } from '../../../client/script.ts'
import { relaysKey } from '../../keys/slot-keys.ts'
import { countRelaysLua } from './lua.ts'

/**
 * Notes that a relay asks for slots, or that it stops, and returns how many relays have recently
 * asked. Relays that are gone are removed first, because a full server lets a script run if its
 * first write is a removal. If a relay would count for far longer than this relay asks for, it was
 * noted before the clock was put back; it then counts for ten times as long as this one at most.
 */
export const countRelaysScript: Script<CountRelaysQuestion, number> = script({
  name: 'count-relays',
  text: countRelaysLua,
  keys: ({ consumer }) => [relaysKey(consumer)],
  args: ({ relay, leaseMs }) => [relay, Math.ceil(leaseMs)],
  reply: integerIn,
})

export interface CountRelaysQuestion {
  readonly consumer: string
  readonly relay: string
  readonly leaseMs: number
}
