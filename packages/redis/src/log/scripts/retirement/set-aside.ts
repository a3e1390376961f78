import type { Retirement } from '@oncekey/core'
import { integerIn, listIn, type Script, script, textIn } from '../../../client/script.ts'
import { dueKey, slotKeys } from '../../keys/slot-keys.ts'
import { setAsideLua } from './lua.ts'

/**
 * Sets aside, in portions, what a retired consumer left in one slot. Its deliveries lose their
 * index fields, so that a later consumer of the same name does not find them, and dead or retrying
 * ones become 'retired' or discarded. Does nothing if a consumer of that name exists again.
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

/** Fields for one script: some milliseconds. */
const LOOKED_AT = 500
