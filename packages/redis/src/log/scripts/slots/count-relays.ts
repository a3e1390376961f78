import { integerIn, type Script, script } from '../../../client/script.ts'
import { relaysKey } from '../../keys/slot-keys.ts'
import { countRelaysLua } from './lua.ts'

/**
 * Notes that a relay asks for slots, or that it leaves, and returns how many asked lately. Relays
 * that are gone are removed first, because a full server lets a script run whose first write is a
 * removal. A relay that would count for far longer than this one asks for was noted before the
 * clock was put back.
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
