import { integerIn, listIn, type Script, script, textIn, wordIn } from '../../../client/script.ts'
import { slotKeys, subscriptionsKey } from '../../keys/slot-keys.ts'
import { findSubscriptionsLua, setSubscriptionsLua, spreadWantedLua } from './lua.ts'

/** The record of a consumer's releases (empty if there is none), and the server's time. */
export const findSubscriptionsScript: Script<{ readonly consumer: string }, FoundSubscriptions> =
  script({
    name: 'find-subscriptions',
    text: findSubscriptionsLua,
    keys: ({ consumer }) => [subscriptionsKey(consumer)],
    args: () => [],
    reply(raw) {
      const [record, nowMs] = listIn(raw).map(textIn)
      return { record: record as string, nowMs: Number(nowMs) }
    },
  })

export interface FoundSubscriptions {
  readonly record: string
  readonly nowMs: number
}

/** Replaces the record, or replies `changed` if somebody else has replaced it before. */
export const setSubscriptionsScript: Script<SetSubscriptionsQuestion, 'set' | 'changed'> = script({
  name: 'set-subscriptions',
  text: setSubscriptionsLua,
  keys: ({ consumer }) => [subscriptionsKey(consumer)],
  args: ({ before, after }) => [before, after],
  reply: (raw) => wordIn(raw, ['set', 'changed']),
})

export interface SetSubscriptionsQuestion {
  readonly consumer: string
  readonly before: string
  readonly after: string
}

/**
 * Stores the wanted types beside the cursors of each slot, so that a script that reads a slot sees
 * both at the same instant. A newer version of the record is not overwritten by an older one.
 * Returns how many slots know the consumer.
 */
export const spreadWantedScript: Script<SpreadWantedQuestion, number> = script({
  name: 'spread-wanted',
  text: spreadWantedLua,
  keys: ({ slots }) => slots.map((slot) => slotKeys(slot).consumers),
  args: ({ consumer, version, wanted }) => [consumer, version, wanted],
  reply: integerIn,
})

export interface SpreadWantedQuestion {
  readonly slots: readonly number[]
  readonly consumer: string
  readonly version: number
  readonly wanted: string
}
