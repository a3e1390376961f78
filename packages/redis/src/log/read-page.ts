import type { LoggedEvent, Page, ReadRequest } from '@oncekey/core'
import { readEntriesScript, type SlotEntries } from '../scripts/log/read-entries.ts'
import type { LogState } from './log-state.ts'
import { type LoggedEntry, loggedEntry } from './logged-entry.ts'

type Unreadable = LoggedEntry & { readonly kind: 'unreadable' }

/**
 * One page out of many streams. Each page begins with another slot, so that one with much to read
 * does not keep the others from being read.
 */
export async function readPage(
  log: LogState,
  request: ReadRequest,
  found: (slot: number, entry: Unreadable) => void,
  turn: number,
): Promise<Page> {
  const { types, limit } = request
  const first = request.slots.length === 0 ? 0 : turn % request.slots.length
  const slots = [...request.slots.slice(first), ...request.slots.slice(0, first)]
  const each = limitOfEach(limit, log.portions(slots).length)
  const answers = await log.askSlots(readEntriesScript, slots, (some) => ({
    slots: some,
    types,
    limit: each,
  }))

  const events: LoggedEvent[] = []
  const next: Page['next'][number][] = []
  let more = false
  for (const slot of answers.flat()) {
    const taken = take(slot, limit - events.length, found)
    for (const event of taken.events) events.push(event)
    next.push({ slot: slot.slot, position: taken.position })
    more ||= taken.more
  }
  return { events, next, more }
}

/** In a cluster all slots are asked at once, and what is over is read again. */
function limitOfEach(limit: number, portions: number): number {
  return portions <= 1 ? limit : Math.max(Math.ceil(limit / portions), Math.min(limit, 16))
}

function take(
  { slot, asked, position, more, entries }: SlotEntries,
  room: number,
  found: (slot: number, entry: Unreadable) => void,
): { events: LoggedEvent[]; position: string; more: boolean } {
  const events: LoggedEvent[] = []
  let last = asked
  for (const entry of entries) {
    if (events.length === room) return { events, position: last, more: true }
    const logged = loggedEntry(slot, entry)
    if (logged.kind === 'event') events.push(logged.event)
    else found(slot, logged)
    last = entry.id
  }
  return { events, position, more }
}
