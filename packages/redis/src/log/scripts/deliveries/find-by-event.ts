import { listIn, type Script, script, textIn } from '../../../client/script.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { findByEventLua } from './lua.ts'

/**
 * Finds the numbers of the deliveries of some events to some consumers. It uses the index by
 * consumer and event, which also prevents a second delivery of the same event.
 */
export const findByEventScript: Script<FindByEventQuestion, FoundNumbers[]> = script({
  name: 'find-by-event',
  text: findByEventLua,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).deliveries),
  args: ({ consumers, eventIds }) =>
    consumers.flatMap((consumer) => eventIds.map((id) => `of:${consumer}\n${id}`)),
  reply: (raw, { slots }) =>
    listIn(raw).map((numbers, at) => ({
      slot: slots[at] as number,
      numbers: listIn(numbers).map(textIn),
    })),
})

export interface FindByEventQuestion {
  readonly slots: readonly number[]
  readonly consumers: readonly string[]
  readonly eventIds: readonly string[]
}

export interface FoundNumbers {
  readonly slot: number
  readonly numbers: readonly string[]
}
