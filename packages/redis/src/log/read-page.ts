import { type LoggedEvent, PAGE_BYTES, type Page, type ReadRequest } from '@oncekey/core'
import { readEntriesScript, type SlotEntries } from '../scripts/log/read-entries.ts'
import type { LogState } from './log-state.ts'
import { type LoggedEntry, loggedEntry } from './logged-entry.ts'

type Unreadable = LoggedEntry & { readonly kind: 'unreadable' }

/**
 * One page out of many streams. It begins behind `lastFull`, the slot that the page before had no room
 * for the rest of, so that one with much to read does not keep the others from being read.
 */
export async function readPage(
  log: LogState,
  request: ReadRequest,
  found: (slot: number, entry: Unreadable) => void,
  lastFull: number,
): Promise<Page & { readonly lastFull: number }> {
  const { consumer, types, limit, maxBytes = PAGE_BYTES } = request
  const slots = [
    ...request.slots.filter(({ slot }) => slot > lastFull),
    ...request.slots.filter(({ slot }) => slot <= lastFull),
  ]
  const each = limitOfEach(limit, log.portions(slots).length)
  const answers = await log.askSlots(readEntriesScript, slots, (some) => ({
    consumer,
    slots: some,
    types,
    limit: each,
    maxBytes,
  }))

  const events: LoggedEvent[] = []
  const next: Page['next'][number][] = []
  let full: number | undefined
  for (const slot of answers.flat()) {
    const taken = take(slot, limit - events.length, found)
    for (const event of taken.events) events.push(event)
    next.push({ slot: slot.slot, position: taken.position })
    if (taken.more) full ??= slot.slot
  }
  return { events, next, more: full !== undefined, lastFull: full ?? lastFull }
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
