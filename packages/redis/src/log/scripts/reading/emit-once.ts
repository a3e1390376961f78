import type { OutboxEvent } from '@oncekey/core'
import { type Script, script, wordIn } from '../../../client/script.ts'
import { entryArguments } from '../../../stream/outbox-entry.ts'
import { emittedKeys } from '../../keys/slot-keys.ts'
import { emitOnceLua } from './lua.ts'

/**
 * Appends the events that a consumer emits while it handles an event, together with a mark. If it
 * is sent again, it finds the mark and appends nothing.
 */
export const emitOnceScript: Script<EmitOnceQuestion, 'done' | 'duplicate'> = script({
  name: 'emit-once',
  text: emitOnceLua,
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
