import {
  bytesOfEvent,
  type LoggedEvent,
  PAGE_BYTES,
  type Page,
  type ReadRequest,
} from '@oncekey/core'
import { inLife, lifeOf } from './keys/life.ts'
import { readEntriesScript, type SlotEntries } from './scripts/reading/read-entries.ts'
import type { LogState } from './state/log-state.ts'
import { type LoggedEntry, loggedEntry } from './state/logged-entry.ts'

type Unreadable = LoggedEntry & { readonly kind: 'unreadable' }

/**
 * Reads one page from many streams. `lastFull` is the slot whose events did not fit in the page
 * before. Reading starts behind that slot, so that a slot with many events does not keep the others
 * from being read.
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
  const portions = log.portions(slots).length
  const share = { limit: limitOfEach(limit, portions), maxBytes: bytesOfEach(maxBytes, portions) }
  // Nothing is read from a node that is away, and the positions in its slots stay the same.
  const ask = async (some: ReadRequest['slots'], most: typeof share, isShare: boolean) => {
    const { replies } = await log.askSlotsThere(readEntriesScript, some, (asked) => ({
      consumer,
      slots: asked,
      types,
      ...most,
      isShare,
    }))
    return replies.flat()
  }

  const events: LoggedEvent[] = []
  const next: Page['next'][number][] = []
  let full: number | undefined
  let bytes = 0
  for (let slot of await ask(slots, share, portions > 1)) {
    const room = { limit: limit - events.length, maxBytes: maxBytes - bytes }
    if (isTooLarge(slot) && room.limit > 0 && room.maxBytes > 0) {
      const again = { slot: slot.slot, position: slot.position }
      slot = (await ask([again], room, false))[0] ?? slot
    }
    const taken = take(slot, room.limit, found)
    for (const event of taken.events) {
      events.push(event)
      bytes += bytesOfEvent(event)
    }
    next.push({ slot: slot.slot, position: taken.position })
    if (taken.more) full ??= slot.slot
  }
  return { events, next, more: full !== undefined, lastFull: full ?? lastFull }
}

/**
 * How many entries each call may return. In a cluster all slots are asked at once, each for its
 * share of the page, but for 16 entries at least. What does not fit in the page is read again
 * later.
 */
function limitOfEach(limit: number, portions: number): number {
  return portions <= 1 ? limit : Math.max(Math.ceil(limit / portions), Math.min(limit, 16))
}

/**
 * How many bytes each call may return, so that they add up to one page. An entry that is larger
 * than its share is read by a call of its own.
 */
function bytesOfEach(maxBytes: number, portions: number): number {
  return portions <= 1 ? maxBytes : Math.max(1, Math.floor(maxBytes / portions))
}

/** Whether the slot's next entry did not fit in its share. */
function isTooLarge({ entries, more }: SlotEntries): boolean {
  return more && entries.length === 0
}

function take(
  { slot, asked, position, more, entries }: SlotEntries,
  room: number,
  found: (slot: number, entry: Unreadable) => void,
): { events: LoggedEvent[]; position: string; more: boolean } {
  const events: LoggedEvent[] = []
  const life = lifeOf(asked)
  let last = asked
  for (const entry of entries) {
    if (events.length === room) return { events, position: last, more: true }
    const logged = loggedEntry(slot, entry, life)
    if (logged.kind === 'event') events.push(logged.event)
    else found(slot, logged)
    last = inLife(entry.id, life)
  }
  return { events, position, more }
}
