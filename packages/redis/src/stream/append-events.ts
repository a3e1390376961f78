import type { OutboxEvent } from '@oncekey/core'
import { type Script, script, wordIn } from '../client/script.ts'
import { appendEventsLua } from './lua.ts'
import { entryArguments } from './outbox-entry.ts'

/**
 * Appends events that belong to no key. There is no record to show that they were appended, so the
 * script leaves a mark: if it is sent again after a lost reply, it adds nothing.
 */
export const appendEventsScript: Script<AppendEventsQuestion, 'stored'> = script({
  name: 'append-events',
  text: appendEventsLua,
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
