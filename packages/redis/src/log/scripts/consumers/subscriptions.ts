import { integerIn, listIn, type Script, script, textIn, wordIn } from '../../../client/script.ts'
import { slotKeys, subscriptionsKey } from '../../keys/slot-keys.ts'
import { clockLua, cursorLua } from '../cursor.ts'

/** The record of a consumer's releases (empty if there is none), and the server's time. */
export const findSubscriptionsScript: Script<{ readonly consumer: string }, FoundSubscriptions> =
  script({
    name: 'find-subscriptions',
    text: `${clockLua}
-- KEYS[1] the record
return {redis.call('GET', KEYS[1]) or '', digits(now)}
`,
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

/** Replaces the record, or answers `changed` if somebody else has replaced it before. */
export const setSubscriptionsScript: Script<SetSubscriptionsQuestion, 'set' | 'changed'> = script({
  name: 'set-subscriptions',
  text: `
-- KEYS[1] the record
-- ARGV[1] what it is; empty: nothing
-- ARGV[2] what it is to be; empty: nothing
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 'changed'
end
-- Removed first: a full server lets a script run whose first write is a removal, and relays empty
-- it.
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
end
return 'set'
`,
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
 * Writes the wanted types beside the cursors, where reading scripts find them in the same instant.
 * Of two writers, the later record stays. Returns how many slots know the consumer.
 */
export const spreadWantedScript: Script<SpreadWantedQuestion, number> = script({
  name: 'spread-wanted',
  text: `${cursorLua}
-- KEYS[i] the consumers of each slot
-- ARGV[1] consumer
-- ARGV[2] the version of the record
-- ARGV[3] the types, as one text
let_through(KEYS[1])
local known = 0
for i = 1, #KEYS do
  local cursor = cursor_of(KEYS[i], ARGV[1])
  if cursor then
    known = known + 1
    if cursor.wanted ~= ARGV[3] and tonumber(ARGV[2]) >= (cursor.wanted_version or 0) then
      cursor.wanted = ARGV[3]
      cursor.wanted_version = tonumber(ARGV[2])
      keep(KEYS[i], ARGV[1], cursor)
    end
  end
end
return known
`,
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
