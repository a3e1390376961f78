import type { OutboxEvent } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { entryArguments } from '../../../stream/outbox-entry.ts'
import { emittedKeys } from '../../keys/slot-keys.ts'

/**
 * Appends the events that a consumer emits for an event, and marks that; once, however often it is
 * sent.
 */
export const emitOnceScript: Script<EmitOnceQuestion, 'done' | 'duplicate'> = script({
  name: 'emit-once',
  text: `
-- KEYS[1]   the mark
-- KEYS[2]   the outbox of its partition
-- ARGV[1]   how long the mark is kept, milliseconds
-- ARGV[2..] for each event the number of its fields and values, then these
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 'duplicate'
end
-- Writes that can fail come first: a full server refuses the first, and XADD refuses a key that
-- holds no stream.
local at = 2
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'done'
`,
  keys: ({ consumer, eventId }) => {
    const { emitted, outbox } = emittedKeys(consumer, eventId)
    return [emitted, outbox]
  },
  args: ({ keptMs, events }) => [keptMs, ...entryArguments(events)],
  reply: (raw) => wordIn(raw, ['done', 'duplicate']),
})

export interface EmitOnceQuestion {
  readonly consumer: string
  readonly eventId: string
  readonly events: readonly OutboxEvent[]
  readonly keptMs: number
}
