import type { Retirement } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { setAsideLua } from './lua.ts'

/**
 * Sets aside, in portions, the deliveries that a retired consumer left in one slot. They lose their
 * index fields, so that a later consumer of the same name does not find them. Those that are dead
 * or retrying become 'retired' or are discarded. Does nothing if a consumer of that name exists
 * again.
 */
export const setAsideScript: Script<SetAsideQuestion, SetAside> = script({
  name: 'set-aside',
  text: setAsideLua,
  keys: ({ slot, consumer }) => {
    const { arrived, consumers, dead, deliveries, resolved, retired } = slotKeys(slot)
    return [consumers, deliveries, dueKey(slot, consumer), dead, arrived, resolved, retired]
  },
  args: ({ consumer, from, choice: { remaining, note } }) => [
    consumer,
    `of:${consumer.replace(/[\\*?[\]]/g, '\\$&')}\n*`,
    from,
    LOOKED_AT,
    remaining,
    note,
  ],
  reply(raw) {
    const [next, count] = listIn(raw)
    return { next: textIn(next), count: integerIn(count) }
  },
})

export interface SetAsideQuestion {
  readonly slot: number
  readonly consumer: string
  readonly from: string
  readonly choice: Retirement
}

export interface SetAside {
  /** Where the next portion begins; '0' after the last. */
  readonly next: string
  readonly count: number
}

/** How many fields one script looks at: they take some milliseconds. */
const LOOKED_AT = 500
