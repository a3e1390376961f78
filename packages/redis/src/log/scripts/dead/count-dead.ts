import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { countDeadLua } from './lua.ts'

/**
 * Counts dead letters: how many there are, how old the oldest is, and how many became dead or were
 * resolved within the last hour.
 */
export const countDeadScript: Script<CountDeadQuestion, DeadCounts> = script({
  name: 'count-dead',
  text: countDeadLua,
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
