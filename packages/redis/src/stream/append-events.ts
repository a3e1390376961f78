import type { OutboxEvent } from '@oncekey/core'
import { type Script, script, wordIn } from '../client/script.ts'
import { entryArguments } from './outbox-entry.ts'

/**
 * Appends the events of an attempt that has no key. No record fences it, so it leaves a mark: a
 * client that sends the script again after a lost answer adds nothing.
 */
export const appendEventsScript: Script<AppendEventsQuestion, 'stored'> = script({
  name: 'append-events',
  text: `
-- KEYS[1]   the mark of this attempt
-- KEYS[2]   the outbox
-- ARGV[1]   how long the mark is kept, milliseconds
-- ARGV[2..] for each event the number of its fields and values, then these
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'stored'
end
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'stored'
`,
  keys: ({ appended, outbox }) => [appended, outbox],
  args: ({ events }) => [MARK_KEPT_MS, ...entryArguments(events)],
  reply: (raw) => wordIn(raw, ['stored']),
})

export interface AppendEventsQuestion {
  readonly appended: string
  readonly outbox: string
  readonly events: readonly OutboxEvent[]
}

const MARK_KEPT_MS = 60 * 60 * 1000
